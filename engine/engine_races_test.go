package engine_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
)

// acceptAll accepts n receipts in one batch and returns their keys.
func acceptAll(
	t testing.TB,
	db *enginetest.Database,
	e *engine.Engine,
	prefix string,
	n int,
	timeout time.Duration,
) []engine.Key {
	t.Helper()
	keys, list := make([]engine.Key, n), make([]engine.Acceptance, n)
	for i := range keys {
		keys[i] = key(fmt.Sprintf("%s_%d", prefix, i))
		list[i] = engine.Acceptance{Key: keys[i], Timeout: timeout}
	}
	err := pgx.BeginFunc(t.Context(), db.Pool, func(tx pgx.Tx) error {
		_, err := e.AcceptMany(t.Context(), tx, list)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// incidents opens an incident for each of n effects, in one sweep.
func incidents(t testing.TB, db *enginetest.Database, e *engine.Engine, prefix string, n int) []engine.Incident {
	t.Helper()
	acceptAll(t, db, e, prefix, n, time.Minute)
	db.Travel(2 * time.Minute)
	if got := sweep(t, e); got != n {
		t.Fatalf("the sweep opened %d incidents, want %d", got, n)
	}
	page, err := e.Incidents(t.Context(), engine.IncidentFilter{Open: true, Limit: 500})
	if err != nil || len(page.Incidents) != n {
		t.Fatalf("%d incidents, %v", len(page.Incidents), err)
	}
	return page.Incidents
}

// turnedDown says whether an operator's action met a state that refuses it.
func turnedDown(err error) bool {
	var refused *engine.RefusedError
	return errors.As(err, &refused)
}

// Engines that sweep at once share the work: each incident opens exactly once,
// and what they say that they opened adds up. It catches a sweep that does not
// skip or does not take what others took.
func TestEnginesThatSweepAtOnceOpenEachIncidentOnce(t *testing.T) {
	t.Parallel()
	const effects, engines = 4500, 6
	db := enginetest.New(t)
	acceptAll(t, db, db.Engine(engine.Config{}), "evt", effects, 0)
	db.Travel(31 * time.Minute)
	var opened atomic.Int64
	var sweepers sync.WaitGroup
	for range engines {
		e := engineOn(t, newPool(t, db, "engine", 1), engine.Config{})
		sweepers.Go(func() {
			n, err := enginetest.Sweep(t.Context(), e)
			if err != nil {
				t.Error(err)
			}
			opened.Add(int64(n))
		})
	}
	sweepers.Wait()
	if opened.Load() != effects {
		t.Errorf("the engines opened %d incidents, want %d", opened.Load(), effects)
	}
	for table, want := range map[string]int{
		"incidents": effects,
		"entries":   2 * effects,
		"outbox":    effects,
		"changes":   effects,
		"owed":      0,
	} {
		if got := read[int](t, db.Pool, "SELECT count(*) FROM sendpromptly."+table); got != want {
			t.Errorf("%d rows in %s, want %d", got, table, want)
		}
	}
	db.RequireSound()
}

// One of many operators who press at once gets the attempt, the others are told
// that it is in flight. It catches a reprocess that does not hold the incident.
func TestOfManyReprocessesOneStarts(t *testing.T) {
	t.Parallel()
	const operators = 8
	db := enginetest.New(t)
	e := engineOn(t, newPool(t, db, "console", operators), engine.Config{})
	run(t, db.Pool, `UPDATE sendpromptly.projects SET repair_url = 'https://shop.example/repair'`)
	for _, incident := range incidents(t, db, e, "evt", 10) {
		var started atomic.Int64
		var all sync.WaitGroup
		ready := make(chan struct{})
		for range operators {
			all.Go(func() {
				<-ready
				switch _, err := e.Reprocess(t.Context(), incident.ID, "ada"); {
				case err == nil:
					started.Add(1)
				case !turnedDown(err):
					t.Error(err)
				}
			})
		}
		close(ready)
		all.Wait()
		if started.Load() != 1 {
			t.Errorf("%d attempts were started", started.Load())
		}
		requireStory(t, db, incident.Key, "receipt→awaiting deadline→missing opened reprocess→reprocessing")
	}
	if got := read[int](t, db.Pool, `SELECT count(*) FROM sendpromptly.callbacks`); got != 10 {
		t.Errorf("%d callbacks for 10 attempts", got)
	}
	db.RequireSound()
}

// Engines that deliver at once send each callback once, and a project's endpoint
// never sees more than four at a time. It catches a claim that does not skip what
// others claimed, and a count of callbacks in flight that others do not see.
func TestEnginesThatDeliverAtOnceSendEachCallbackOnce(t *testing.T) {
	t.Parallel()
	const callbacks, engines = 30, 4
	db := enginetest.New(t)
	e := db.Engine(engine.Config{AllowNetworks: loopback})
	var flying, most atomic.Int64
	var seen sync.Map
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		now := flying.Add(1)
		defer flying.Add(-1)
		for old := most.Load(); now > old && !most.CompareAndSwap(old, now); old = most.Load() {
		}
		if _, twice := seen.LoadOrStore(r.Header.Get("Webhook-Id"), true); twice {
			t.Error("a callback came twice")
		}
		<-time.After(5 * time.Millisecond) // long enough to meet others
		w.WriteHeader(http.StatusAccepted)
	}))
	defer server.Close()
	repairAt(t, db, server)
	for _, incident := range incidents(t, db, e, "evt", callbacks) {
		if _, err := e.Reprocess(t.Context(), incident.ID, "ada"); err != nil {
			t.Fatal(err)
		}
	}
	var sent atomic.Int64
	var senders sync.WaitGroup
	for range engines {
		e := engineOn(t, newPool(t, db, "engine", 6), engine.Config{AllowNetworks: loopback})
		senders.Go(func() {
			for sent.Load() < callbacks && t.Context().Err() == nil {
				n, err := enginetest.Deliver(t.Context(), e)
				if err != nil {
					t.Error(err)
					return
				}
				sent.Add(int64(n))
			}
		})
	}
	senders.Wait()
	if sent.Load() != callbacks || most.Load() > 4 {
		t.Errorf("%d callbacks sent, at most %d at once", sent.Load(), most.Load())
	}
	if got := read[int](
		t,
		db.Pool,
		`SELECT count(*) FROM sendpromptly.callbacks WHERE state = 'accepted' AND try = 1`,
	); got != callbacks {
		t.Errorf("%d callbacks were accepted at their first try, want %d", got, callbacks)
	}
	db.RequireSound()
}

// melee is everybody at once on the same few incidents.
type melee struct {
	t         *testing.T
	e         *engine.Engine
	db        *enginetest.Database
	incidents []engine.Incident
	acts      atomic.Int64
}

// crowd is how many effects everybody is busy with at a time, and stay how many
// acts one of them sees before it makes room for the next.
const crowd, stay = 10, 60

// Workers, operators, senders and sweeps all at once, on few effects so that
// they meet, with time passing quickly: whatever comes of it follows the
// lifecycle, and nobody sees an error but a refusal. It catches deadlocks, lock
// orders that differ, and callbacks, attempts or due times left behind.
func TestEverybodyAtOnceLeavesASoundDatabase(t *testing.T) {
	t.Parallel()
	actors, moves, minutes := 12, 40, 10
	if heavy() {
		moves, minutes = 1500, 200
	}
	db := enginetest.New(t)
	pool := newPool(t, db, "everybody", 24)
	m := &melee{t: t, db: db, e: engineOn(t, pool, engine.Config{AllowNetworks: loopback})}
	server := httptest.NewServer(m.flaky(m.e.RepairHandler(func(context.Context, pgx.Tx, engine.Repair) error {
		if rand.IntN(8) > 0 {
			return errors.New("the account is locked")
		}
		return nil
	})))
	defer server.Close()
	repairAt(t, db, server)
	m.incidents = incidents(t, db, m.e, "evt", crowd+actors*moves/stay)

	var all sync.WaitGroup
	for range actors {
		all.Go(func() {
			for range moves {
				if err := m.act(); err != nil && !turnedDown(err) && !errors.Is(err, engine.ErrClosed) {
					t.Errorf("%v, in %s", err, statementOf(err))
				}
			}
		})
	}
	for range minutes {
		db.Travel(time.Minute) // one at a time: the clock is this goroutine's
		sweep(t, m.e)
	}
	all.Wait() // as long as a busy machine needs: the test's own timeout shows who hangs

	db.Travel(6 * time.Hour)
	sweep(t, m.e)
	if _, err := enginetest.Seal(t.Context(), m.e); err != nil {
		t.Fatal(err)
	}
	db.RequireSound()
	kinds := []string{"reprocess", "reopened", "callback", "stopped", "failure", "success", "closed", "duplicate"}
	if heavy() {
		kinds = append(kinds, "gave_up") // takes luck: all tries of one request fail before somebody meddles
	}
	for _, kind := range kinds {
		if n := read[int](t, db.Pool, `SELECT count(*) FROM sendpromptly.entries WHERE kind = $1`, kind); n == 0 {
			t.Errorf("nothing of the kind %s happened", kind)
		}
	}
}

// statementOf is where in which function Postgres met an error.
func statementOf(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Where
	}
	return "Go"
}

// flaky stands before the repair endpoint and answers in every way there is.
func (m *melee) flaky(repair http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch rand.IntN(7) {
		case 0:
			w.WriteHeader(http.StatusInternalServerError)
		case 1:
			w.WriteHeader(http.StatusNotFound)
		case 2:
			w.WriteHeader(http.StatusAccepted)
		case 3:
			_, _ = io.Copy(io.Discard, r.Body)
			panic(http.ErrAbortHandler)
		default:
			repair.ServeHTTP(w, r)
		}
	})
}

// act does one thing that somebody might do to one of the incidents.
func (m *melee) act() error {
	ctx := m.t.Context()
	incident := m.incidents[m.acts.Add(1)/stay+rand.Int64N(crowd)]
	switch rand.IntN(14) {
	case 0:
		return m.successAndMaybeRollback(ctx, incident.Key)
	case 1:
		return m.brokenApply(ctx, incident)
	case 2:
		return m.e.CloseIncident(ctx, incident.ID, "ada", "refunded by hand")
	case 3:
		_, err := m.e.Stop(ctx, incident.ID, "ada")
		return err
	case 4, 5:
		return m.e.Fail(ctx, incident.Key, errors.New("no such account"))
	case 6:
		_, err := enginetest.Sweep(ctx, m.e)
		return err
	case 7, 8, 9:
		_, err := enginetest.Deliver(ctx, m.e)
		return err
	case 10:
		return pgx.BeginFunc(ctx, m.db.Pool, func(tx pgx.Tx) error {
			_, err := m.e.Accept(ctx, tx, engine.Acceptance{Key: incident.Key})
			return err
		})
	default:
		_, err := m.e.Reprocess(ctx, incident.ID, "bob")
		return err
	}
}

// brokenApply is a worker whose effect fails, for the attempt that was current
// when it began.
func (m *melee) brokenApply(ctx context.Context, incident engine.Incident) error {
	now, err := m.e.Incident(ctx, incident.ID)
	if err != nil {
		return err
	}
	outOfStock := errors.New("out of stock")
	err = m.e.Apply(ctx, incident.Key, func(context.Context, pgx.Tx) error { return outOfStock }, engine.WithReplay(now.ReplayID))
	if errors.Is(err, outOfStock) && err.Error() == outOfStock.Error() {
		return nil // and nothing joined to it
	}
	return err
}

// successAndMaybeRollback is a worker's transaction, which often breaks after
// it said that it succeeded, so that few effects end in the state applied.
func (m *melee) successAndMaybeRollback(ctx context.Context, k engine.Key) error {
	broken := errors.New("broken")
	err := pgx.BeginFunc(ctx, m.db.Pool, func(tx pgx.Tx) error {
		if err := m.e.Succeed(ctx, tx, k); err != nil || rand.IntN(8) == 0 {
			return err
		}
		if err := m.e.Fail(ctx, k, broken); err != nil {
			return err
		}
		return broken
	})
	if errors.Is(err, broken) {
		return nil
	}
	return err
}
