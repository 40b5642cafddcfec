package ingest_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/adminserver"
	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
)

func withKey(key string) map[string]string { return map[string]string{"Idempotency-Key": key} }

func TestTheSameKeyAndBodyGetTheSameBytesAgain(t *testing.T) {
	t.Parallel()
	s := start(t, adminserver.IngestLimits{})
	first := s.send(request{path: "/api/v1/receipt", body: receipt(nil), header: withKey("one")})
	first.accepted(t)
	again := s.send(request{path: "/v1/receipt", body: receipt(nil), header: withKey("one")})
	if again.status != 202 || again.body != first.body || again.header.Get("Idempotent-Replayed") != "true" ||
		first.header.Get("Idempotent-Replayed") != "" {
		t.Errorf("again: %d %s (%q), first %s", again.status, again.body, again.header.Get("Idempotent-Replayed"), first.body)
	}
	if kinds, err := s.db.Kinds(evt1); err != nil || len(kinds) != 1 {
		t.Errorf("the replay left its mark: %v, %v", kinds, err)
	}
	other := s.send(request{path: "/api/v1/receipt", body: receipt(nil) + " ", header: withKey("one")})
	if other.status != 409 || other.code() != "idempotency_conflict" {
		t.Errorf("another body: %d %s", other.status, other.body)
	}
	// The endpoint and the project keep keys apart.
	s.send(request{path: "/api/v1/result", body: result(nil), header: withKey("one")}).accepted(t)
	s.send(request{
		path: "/api/v1/receipt", body: receipt(map[string]any{"version": "2"}),
		header: map[string]string{"Idempotency-Key": "one", "Authorization": "Bearer " + s.keys["other"]},
	}).accepted(t)
}

func TestARefusalIsNotKept(t *testing.T) {
	t.Parallel()
	s := start(t, adminserver.IngestLimits{})
	early := request{path: "/api/v1/result", body: result(nil), header: withKey("result")}
	if got := s.send(early); got.status != 404 {
		t.Fatalf("before the receipt: %d %s", got.status, got.body)
	}
	if got := s.send(request{path: "/api/v1/receipt", body: "{}", header: withKey("receipt")}); got.status != 422 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	s.send(request{path: "/api/v1/receipt", body: receipt(nil), header: withKey("receipt")}).accepted(t)
	s.send(early).accepted(t)
	s.db.RequireApplied(evt1)
}

func TestAKeyIsForgottenAfterADay(t *testing.T) {
	t.Parallel()
	s := start(t, adminserver.IngestLimits{})
	q := request{path: "/api/v1/receipt", body: receipt(map[string]any{"timeout_minutes": 43200}), header: withKey("one")}
	s.send(q).accepted(t)
	s.db.Travel(24*time.Hour - time.Minute)
	if got := s.send(q).accepted(t); got.Duplicate {
		t.Error("forgotten early")
	}
	s.db.Travel(2 * time.Minute)
	if got := s.send(q).accepted(t); !got.Duplicate {
		t.Error("still kept")
	}
	if n := s.count("SELECT count(*) FROM sendpromptly.idempotency"); n != 1 {
		t.Errorf("%d rows of one key", n)
	}
	s.db.Travel(25 * time.Hour)
	if _, err := enginetest.Purge(t.Context(), s.db.Engine(engine.Config{})); err != nil {
		t.Fatal(err)
	}
	if n := s.count("SELECT count(*) FROM sendpromptly.idempotency"); n != 0 {
		t.Errorf("%d expired rows after the purge", n)
	}
}

// Of many requests with one key one does the work; the others hear that it is
// running, or get its answer.
func TestManyAtOnceWithOneKeyDoTheWorkOnce(t *testing.T) {
	t.Parallel()
	s := start(t, adminserver.IngestLimits{})
	s.send(request{path: "/api/v1/receipt", body: receipt(map[string]any{"provider_event_id": "evt_outcome"})}).accepted(t)
	for _, q := range []request{
		{path: "/api/v1/receipt", body: receipt(nil), header: withKey("race")},
		{
			path: "/api/v1/result", body: result(map[string]any{"provider_event_id": "evt_outcome", "status": "failed"}),
			header: withKey("race"),
		},
	} {
		t.Run(q.path, func(t *testing.T) {
			var group sync.WaitGroup
			var mu sync.Mutex
			bodies, busy := map[string]int{}, 0
			for range 40 {
				group.Go(func() {
					got, err := s.try(q)
					mu.Lock()
					defer mu.Unlock()
					switch {
					case err != nil:
						t.Error(err)
					case got.status == 202:
						bodies[got.body]++
					case got.code() == "idempotency_conflict" && got.header.Get("Retry-After") == "1":
						busy++
					default:
						t.Errorf("%d %s", got.status, got.body)
					}
				})
			}
			group.Wait()
			if len(bodies) != 1 {
				t.Errorf("%s: %d different answers: %v", q.path, len(bodies), bodies)
			}
			t.Logf("%s: %d busy", q.path, busy)
		})
	}
	if n := s.count("SELECT count(*) FROM sendpromptly.entries WHERE kind = 'failure'"); n != 1 {
		t.Errorf("%d failures were recorded", n)
	}
	if n := s.count("SELECT count(*) FROM sendpromptly.entries WHERE kind = 'duplicate'"); n != 0 {
		t.Errorf("%d duplicates", n)
	}
}

// Different keys for one event: one receipt, and every other is its duplicate.
func TestManyAtOnceWithTheirOwnKeysAreOneReceipt(t *testing.T) {
	t.Parallel()
	s := start(t, adminserver.IngestLimits{})
	var group sync.WaitGroup
	var mu sync.Mutex
	ids, fresh := map[string]bool{}, 0
	for n := range 30 {
		group.Go(func() {
			got, err := s.try(request{path: "/api/v1/receipt", body: receipt(nil), header: withKey(fmt.Sprint("own-", n))})
			if err != nil {
				t.Error(err)
				return
			}
			a := got.accepted(t)
			mu.Lock()
			defer mu.Unlock()
			ids[a.EventID] = true
			if !a.Duplicate {
				fresh++
			}
		})
	}
	group.Wait()
	if len(ids) != 1 || fresh != 1 {
		t.Errorf("%d ids, %d that are no duplicates", len(ids), fresh)
	}
}

// A server that dies while it works leaves neither receipt nor key behind.
func TestACrashInFlightLeavesNothing(t *testing.T) {
	t.Parallel()
	s := start(t, adminserver.IngestLimits{})
	crashing, err := s.db.Pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = crashing.Rollback(t.Context()) }()
	// What the server does, up to the moment before its commit.
	var verdict string
	if err := crashing.QueryRow(
		t.Context(), "SELECT verdict FROM sendpromptly.begin_idempotent('default', 'receipt', 'one', '\\x00')",
	).
		Scan(&verdict); err != nil ||
		verdict != "new" {
		t.Fatalf("%s, %v", verdict, err)
	}
	if _, err := crashing.Exec(t.Context(), "SELECT sendpromptly.accept('stripe', 'evt_1', 'credit_grant')"); err != nil {
		t.Fatal(err)
	}
	if _, err := crashing.Exec(
		t.Context(),
		"SELECT sendpromptly.keep_answer('default', 'receipt', 'one', '\\x00', 202, '{}')",
	); err != nil {
		t.Fatal(err)
	}
	q := request{path: "/api/v1/receipt", body: receipt(nil), header: withKey("one")}
	if got := s.send(q); got.status != 409 || got.code() != "idempotency_conflict" || got.header.Get("Retry-After") == "" {
		t.Errorf("in flight: %d %s", got.status, got.body)
	}
	kill(t, s, crashing)
	if got := s.send(q).accepted(t); got.Duplicate {
		t.Error("the crash left a receipt behind")
	}
}

// kill ends the transaction's connection from the outside.
func kill(t *testing.T, s *server, tx pgx.Tx) {
	t.Helper()
	pid := tx.Conn().PgConn().PID()
	if _, err := s.db.Pool.Exec(t.Context(), "SELECT pg_terminate_backend($1)", pid); err != nil {
		t.Fatal(err)
	}
	// The backend rolls back before it is gone.
	for s.count("SELECT count(*) FROM pg_stat_activity WHERE pid = $1", pid) > 0 {
		if t.Context().Err() != nil {
			t.Fatal("the backend does not end")
		}
	}
}

// A success waits for the app's own uncommitted outcome, but not for ever: the
// caller hears so and asks again with the same key.
func TestAnOutcomeThatTheAppHoldsDoesNotHoldTheServer(t *testing.T) {
	t.Parallel()
	s := start(t, adminserver.IngestLimits{})
	s.send(request{path: "/api/v1/receipt", body: receipt(nil)}).accepted(t)
	app, err := s.db.Pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = app.Rollback(t.Context()) }()
	if err := s.db.Engine(engine.Config{}).Succeed(t.Context(), app, evt1); err != nil {
		t.Fatal(err)
	}
	// A failure waits for nothing: it is stored aside.
	began := time.Now()
	s.send(request{path: "/api/v1/result", body: result(map[string]any{"status": "failed"})}).accepted(t)
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("a failure took %s", took)
	}
	q := request{path: "/api/v1/result", body: result(nil), header: withKey("one")}
	if got := s.send(q); got.status != 500 || got.code() != "internal_error" {
		t.Errorf("while the app holds the effect: %d %s", got.status, got.body)
	}
	if err := app.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := s.send(q); got.status != 202 || !strings.Contains(got.body, `"status":"success"`) {
		t.Errorf("after its commit: %d %s", got.status, got.body)
	}
	s.db.RequireApplied(evt1)
}
