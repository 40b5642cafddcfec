package engine_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
	"github.com/sendpromptly/sendpromptly/engine/stripe"
	"github.com/sendpromptly/sendpromptly/internal/samples"
)

// newShop makes the app on a test's database.
func newShop(t testing.TB, db *enginetest.Database) *shop {
	t.Helper()
	_, err := db.Pool.Exec(t.Context(), `
		CREATE TABLE jobs (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, provider text, event_id text, effect text, account text,
			replay_id text);
		CREATE TABLE credits (account text PRIMARY KEY, balance bigint NOT NULL);
		CREATE TABLE orders (event_id text PRIMARY KEY, account text);`)
	if err != nil {
		t.Fatal(err)
	}
	return &shop{pool: db.Pool, effects: db.Engine(engine.Config{AllowNetworks: loopback})}
}

// deliverSample posts a signed sample to one of the shop's handlers.
func deliverSample(t testing.TB, handler http.HandlerFunc, provider, eventType, secret, eventID string) {
	t.Helper()
	body, header, err := samples.Signed(
		provider,
		eventType,
		secret,
		samples.Values{EventID: eventID, Reference: "acct_1"},
		time.Now(),
	)
	if err != nil {
		t.Fatal(err)
	}
	request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", bytes.NewReader(body))
	request.Header = header
	answer := httptest.NewRecorder()
	if handler(answer, request); answer.Code != http.StatusOK {
		t.Fatalf("the webhook was answered %d", answer.Code)
	}
}

// queued takes all jobs out of the queue.
func (s *shop) queued(t testing.TB) []ApplyCredits {
	t.Helper()
	rows, err := s.pool.Query(t.Context(), `DELETE FROM jobs RETURNING provider, event_id, effect, account, replay_id`)
	if err != nil {
		t.Fatal(err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (job ApplyCredits, err error) {
		err = row.Scan(&job.Key.Provider, &job.Key.EventID, &job.Key.Effect, &job.Account, &job.ReplayID)
		return job, err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// requireCredits ends the test unless acct_1 has this balance.
func (s *shop) requireCredits(t testing.TB, want int) {
	t.Helper()
	var got int
	if err := s.pool.QueryRow(t.Context(), `SELECT coalesce(sum(balance), 0) FROM credits`).Scan(&got); err != nil {
		t.Fatal(err)
	}
	if got != want {
		t.Fatalf("acct_1 has %d credits, want %d", got, want)
	}
}

// region enginetest
func TestCreditsThatAreNeverAddedOpenAnIncident(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	s := newShop(t, db)

	deliverSample(t, s.stripeWebhook, "stripe", "invoice.paid", stripeSecret, "evt_1") // and no worker runs
	db.Travel(31 * time.Minute)

	incident := db.RequireIncident(key("evt_1"), engine.CauseMissing)
	if incident.Subject != "acct_1" {
		t.Errorf("subject = %q", incident.Subject)
	}
}

// endregion

func TestReadmeWebhooksAreAcceptedOnceAndApplied(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		provider, eventType, secret string
		handler                     func(*shop) http.HandlerFunc
	}{
		{"stripe", "invoice.paid", stripeSecret, func(s *shop) http.HandlerFunc { return s.stripeWebhook }},
		{"shopify", "orders/paid", shopifySecret, func(s *shop) http.HandlerFunc { return s.shopifyWebhook }},
	} {
		t.Run(c.provider, func(t *testing.T) {
			t.Parallel()
			db := enginetest.New(t)
			s := newShop(t, db)
			deliverSample(t, c.handler(s), c.provider, c.eventType, c.secret, "evt_1")
			deliverSample(t, c.handler(s), c.provider, c.eventType, c.secret, "evt_1") // the provider delivers twice
			queue := s.queued(t)
			if len(queue) != 1 || queue[0].Account != "acct_1" {
				t.Fatalf("queued %+v", queue)
			}
			if err := s.work(t.Context(), queue[0]); err != nil {
				t.Fatal(err)
			}
			s.requireCredits(t, 100)
			db.RequireApplied(queue[0].Key)
			db.RequireSound()
		})
	}
}

func TestReadmeBeforeAndAfter(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	s := newShop(t, db)
	if err := s.acceptBefore(t.Context(), "acct_1"); err != nil {
		t.Fatal(err)
	}
	if err := s.workBefore(t.Context(), s.queued(t)[0]); err != nil {
		t.Fatal(err)
	}
	event := providerEvent{ID: "evt_1", Type: "invoice.paid"}
	if err := s.acceptAfter(t.Context(), event, "acct_1"); err != nil {
		t.Fatal(err)
	}
	if err := s.workAfter(t.Context(), s.queued(t)[0]); err != nil {
		t.Fatal(err)
	}
	s.requireCredits(t, 200)
	db.RequireApplied(key("evt_1"))

	deliverSample(t, s.stripeWebhookBefore, "stripe", "invoice.paid", stripeSecret, "evt_2")
	deliverSample(t, s.shopifyWebhookBefore, "shopify", "orders/paid", shopifySecret, "evt_3")
	if queue := s.queued(t); len(queue) != 2 || queue[0].Account != "acct_1" || queue[1].Account != "acct_1" {
		t.Fatalf("queued %+v", queue)
	}
}

func TestReadmeOneEventOwesSeveralEffects(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	s := newShop(t, db)
	event := stripe.Event{Acceptance: engine.Acceptance{Key: engine.Key{Provider: "stripe", EventID: "evt_1"}, Subject: "acct_1"}}
	for range 2 {
		if err := s.acceptSeveral(t.Context(), event); err != nil {
			t.Fatal(err)
		}
	}
	if queue := s.queued(t); len(queue) != 2 || queue[0].Key == queue[1].Key {
		t.Fatalf("queued %+v", queue)
	}
}

func TestReadmeWorkerRecordsOnlyTheLastFailure(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	s := newShop(t, db)
	deliverSample(t, s.stripeWebhook, "stripe", "invoice.paid", stripeSecret, "evt_1")
	job := s.queued(t)[0]
	s.broken = errors.New("the ledger is down")
	if err := s.work(t.Context(), job); !errors.Is(err, s.broken) {
		t.Fatalf("work = %v", err)
	}
	db.RequireNoIncident(job.Key)
	job.LastTry = true
	if err := s.work(t.Context(), job); !errors.Is(err, s.broken) {
		t.Fatalf("work = %v", err)
	}
	if incident := db.RequireIncident(job.Key, engine.CauseFailed); incident.ErrorMessage != "the ledger is down" {
		t.Errorf("the incident says %q", incident.ErrorMessage)
	}
}

func TestReadmeSucceedAndFailWithoutApply(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	s := newShop(t, db)
	deliverSample(t, s.stripeWebhook, "stripe", "invoice.paid", stripeSecret, "evt_1")
	job := s.queued(t)[0]
	s.broken = errors.New("the ledger is down")
	if err := s.workWithoutApply(t.Context(), job); !errors.Is(err, s.broken) {
		t.Fatalf("work = %v", err)
	}
	db.RequireIncident(job.Key, engine.CauseFailed)
	s.broken = nil
	if err := s.workWithoutApply(t.Context(), job); err != nil {
		t.Fatal(err)
	}
	s.requireCredits(t, 100)
	db.RequireApplied(job.Key)
}

// reprocess opens an incident, mounts a repair endpoint and asks it.
func (s *shop) reprocess(t testing.TB, db *enginetest.Database, mount func(*http.ServeMux)) engine.Incident {
	t.Helper()
	deliverSample(t, s.stripeWebhook, "stripe", "invoice.paid", stripeSecret, "evt_1")
	s.queued(t) // the jobs are lost
	db.Travel(31 * time.Minute)
	incident := db.RequireIncident(key("evt_1"), engine.CauseMissing)
	mux := http.NewServeMux()
	mount(mux)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	server.URL += "/sendpromptly/repair"
	repairAt(t, db, server)
	if _, err := s.effects.Reprocess(t.Context(), incident.ID, "ada@example.com"); err != nil {
		t.Fatal(err)
	}
	if _, err := enginetest.Deliver(t.Context(), s.effects); err != nil {
		t.Fatal(err)
	}
	return incident
}

func TestReadmeRepairHandlerAppliesTheEffect(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	s := newShop(t, db)
	s.reprocess(t, db, s.mountRepair)
	s.requireCredits(t, 100)
	db.RequireApplied(key("evt_1"))
	db.RequireSound()
}

func TestReadmeEnqueueHandlerLeavesTheEffectToTheWorker(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	s := newShop(t, db)
	s.reprocess(t, db, s.mountEnqueue)
	db.RequireState(key("evt_1"), engine.StateReprocessing) // a 2xx resolves nothing
	queue := s.queued(t)
	if len(queue) != 1 {
		t.Fatalf("queued %+v", queue)
	}
	if err := s.work(t.Context(), queue[0]); err != nil {
		t.Fatal(err)
	}
	s.requireCredits(t, 100)
	db.RequireApplied(key("evt_1"))
	db.RequireSound()
}

func TestReadmeBatchesCostNoRoundTrip(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	s := newShop(t, db)
	k := key("evt_1")
	for range 2 { // the second is a duplicate
		err := pgx.BeginFunc(t.Context(), db.Pool, func(tx pgx.Tx) error { return s.acceptInBatch(t.Context(), tx, k, "acct_1") })
		if err != nil {
			t.Fatal(err)
		}
	}
	db.RequireState(k, engine.StateAwaiting)
	err := pgx.BeginFunc(t.Context(), db.Pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(t.Context(), `INSERT INTO credits VALUES ('acct_1', 0)`); err != nil {
			return err
		}
		return s.applyInBatch(t.Context(), tx, k, "acct_1")
	})
	if err != nil {
		t.Fatal(err)
	}
	s.requireCredits(t, 100)
	db.RequireApplied(k)
}

func TestReadmeAdoptsJobsThatWereQueuedBefore(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	s := newShop(t, db)
	old := ApplyCredits{Key: key("evt_1"), Account: "acct_1"}
	if err := s.work(t.Context(), old); !errors.Is(err, engine.ErrUnknownEffect) {
		t.Fatalf("without AdoptUnknown, work = %v", err)
	}
	if err := s.acceptQueued(t.Context(), []ApplyCredits{{Key: key("evt_2")}, {Key: key("evt_3")}}); err != nil {
		t.Fatal(err)
	}
	db.RequireState(key("evt_3"), engine.StateAwaiting)
	ctx := t.Context()
	// region adopt
	effects, err := engine.New(ctx, s.pool, engine.Config{AdoptUnknown: true})
	// endregion
	if err != nil {
		t.Fatal(err)
	}
	s.effects = effects
	if err := s.work(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	s.requireCredits(t, 100)
	db.RequireApplied(old.Key)
}

func TestReadmeRunStopsCleanly(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	s := newShop(t, db)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		// region run
		err := s.effects.Run(ctx)
		// endregion
		ended <- err
	}()
	accept(t, db, s.effects, engine.Acceptance{Key: key("evt_1"), Timeout: time.Second})
	db.Travel(2 * time.Second)
	for change, err := range s.effects.Changes(ctx, "") {
		if err != nil {
			t.Fatal(err)
		}
		if change.Kind == "incident" && change.What == "opened" {
			break
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
}
