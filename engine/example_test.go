package engine_test

// What README.md and docs/quickstart.md show. Their Go blocks are the regions
// of this file, held together by a test in internal/readme; the tests below
// run the same code.

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
	"github.com/sendpromptly/sendpromptly/engine/shopify"
	"github.com/sendpromptly/sendpromptly/engine/stripe"
	"github.com/sendpromptly/sendpromptly/internal/samples"
)

const (
	stripeSecret  = "whsec_readme"
	shopifySecret = "readme"
)

// shop is an app with a queue of its own in Postgres.
type shop struct {
	pool    *pgxpool.Pool
	effects *engine.Engine
	jobs    jobs
	broken  error // what addCredits meets
}

// ApplyCredits is a job.
type ApplyCredits struct {
	Key      engine.Key
	Account  string
	ReplayID string
	LastTry  bool
}

// jobs stands for any queue that inserts in the caller's transaction.
type jobs struct{}

func (jobs) InsertTx(ctx context.Context, tx pgx.Tx, job ApplyCredits) error {
	_, err := tx.Exec(ctx, `INSERT INTO jobs (provider, event_id, effect, account, replay_id) VALUES ($1, $2, $3, $4, $5)`,
		job.Key.Provider, job.Key.EventID, job.Key.Effect, job.Account, job.ReplayID)
	return err
}

func (s *shop) addCredits(ctx context.Context, tx pgx.Tx, account string) error {
	if s.broken != nil {
		return s.broken
	}
	_, err := tx.Exec(ctx, `INSERT INTO credits VALUES ($1, 100) ON CONFLICT (account) DO UPDATE SET balance = credits.balance + 100`, account)
	return err
}

// providerEvent is what an app's own verification gives.
type providerEvent struct{ ID, Type, Account string }

func verifyStripe(r *http.Request) (providerEvent, error) {
	event, err := stripe.Receive(r, stripeSecret)
	return providerEvent{ID: event.EventID, Type: event.EventType, Account: event.Metadata["account_id"]}, err
}

func verifyShopify(r *http.Request) (providerEvent, error) {
	event, err := shopify.Receive(r, shopifySecret)
	return providerEvent{ID: event.EventID, Type: event.EventType, Account: event.Attributes["account_id"]}, err
}

// region stripe-handler-before
func (s *shop) stripeWebhookBefore(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	event, err := verifyStripe(r)
	if err != nil {
		http.Error(w, "refused", http.StatusBadRequest)
		return
	}
	if event.Type != "invoice.paid" {
		return
	}
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		return s.jobs.InsertTx(ctx, tx, ApplyCredits{Account: event.Account})
	})
	if err != nil {
		http.Error(w, "try again", http.StatusInternalServerError)
		return
	}
	w.WriteHeader(http.StatusOK)
}

// endregion

// region shopify-handler-before
func (s *shop) shopifyWebhookBefore(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	event, err := verifyShopify(r)
	if err != nil {
		http.Error(w, "refused", http.StatusUnauthorized)
		return
	}
	if event.Type != "orders/paid" {
		return
	}
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		return s.jobs.InsertTx(ctx, tx, ApplyCredits{Account: event.Account})
	})
	if err != nil {
		http.Error(w, "try again", http.StatusInternalServerError)
		return
	}
	w.WriteHeader(http.StatusOK)
}

// endregion

func (s *shop) acceptBefore(ctx context.Context, account string) error {
	// region accept-before
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		return s.jobs.InsertTx(ctx, tx, ApplyCredits{Account: account})
	})
	// endregion
	return err
}

func (s *shop) acceptAfter(ctx context.Context, event providerEvent, account string) error {
	// region accept-after
	credits := engine.Key{Provider: "stripe", EventID: event.ID, Effect: "credit_grant"}
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		receipt, err := s.effects.Accept(ctx, tx, engine.Acceptance{Key: credits, EventType: event.Type, Subject: account})
		if err != nil || receipt.Duplicate {
			return err
		}
		return s.jobs.InsertTx(ctx, tx, ApplyCredits{Key: credits, Account: account}) // together or not at all
	})
	// endregion
	return err
}

func (s *shop) workBefore(ctx context.Context, job ApplyCredits) error {
	// region worker-before
	return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error { return s.addCredits(ctx, tx, job.Account) })
	// endregion
}

func (s *shop) workAfter(ctx context.Context, job ApplyCredits) error {
	// region worker-after
	return s.effects.Apply(ctx, job.Key, func(tx pgx.Tx) error { return s.addCredits(ctx, tx, job.Account) })
	// endregion
}

// region stripe-handler
func (s *shop) stripeWebhook(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	event, err := stripe.Receive(r, stripeSecret)
	if err != nil {
		http.Error(w, "refused", http.StatusBadRequest)
		return
	}
	if event.EventType != "invoice.paid" {
		return // nothing is owed for the others
	}
	event.Subject = event.Metadata["account_id"]
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		receipt, err := s.effects.Accept(ctx, tx, event.Acceptance)
		if err != nil || receipt.Duplicate {
			return err
		}
		return s.jobs.InsertTx(ctx, tx, ApplyCredits{Key: event.Key, Account: event.Subject})
	})
	if err != nil {
		http.Error(w, "try again", http.StatusInternalServerError)
		return
	}
	w.WriteHeader(http.StatusOK)
}

// endregion

// region shopify-handler
func (s *shop) shopifyWebhook(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	event, err := shopify.Receive(r, shopifySecret)
	if err != nil {
		http.Error(w, "refused", http.StatusUnauthorized)
		return
	}
	if event.EventType != "orders/paid" {
		return // nothing is owed for the others
	}
	event.Effect = "credit_grant" // the suggestion for orders is access_unlock
	event.Subject = event.Attributes["account_id"]
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		receipt, err := s.effects.Accept(ctx, tx, event.Acceptance)
		if err != nil || receipt.Duplicate {
			return err
		}
		return s.jobs.InsertTx(ctx, tx, ApplyCredits{Key: event.Key, Account: event.Subject})
	})
	if err != nil {
		http.Error(w, "try again", http.StatusInternalServerError)
		return
	}
	w.WriteHeader(http.StatusOK)
}

// endregion

func (s *shop) acceptSeveral(ctx context.Context, event stripe.Event) error {
	return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		// region several-effects
		for _, effect := range []string{"access_unlock", "credit_grant"} {
			event.Effect = effect
			receipt, err := s.effects.Accept(ctx, tx, event.Acceptance)
			if err != nil {
				return err
			}
			if receipt.Duplicate {
				continue
			}
			if err := s.jobs.InsertTx(ctx, tx, ApplyCredits{Key: event.Key, Account: event.Subject}); err != nil {
				return err
			}
		}
		return nil
		// endregion
	})
}

// region worker
func (s *shop) work(ctx context.Context, job ApplyCredits) error {
	return s.effects.Apply(ctx, job.Key, func(tx pgx.Tx) error {
		err := s.addCredits(ctx, tx, job.Account)
		if err != nil && !job.LastTry {
			return engine.Retry(err) // the queue will try again: no incident yet
		}
		return err
	}, engine.WithReplay(job.ReplayID))
}

// endregion

// region succeed-and-fail
func (s *shop) workWithoutApply(ctx context.Context, job ApplyCredits) error {
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if err := s.addCredits(ctx, tx, job.Account); err != nil {
			return err
		}
		return s.effects.Succeed(ctx, tx, job.Key) // last, in the effect's own transaction
	})
	if err != nil {
		return errors.Join(err, s.effects.Fail(ctx, job.Key, err)) // after it, in one of the engine's
	}
	return nil
}

// endregion

func (s *shop) mountRepair(mux *http.ServeMux) {
	// region repair-handler
	mux.Handle("POST /sendpromptly/repair", s.effects.RepairHandler(func(ctx context.Context, tx pgx.Tx, r engine.Repair) error {
		if r.Subject == "" {
			return engine.Permanent(errors.New("nobody to give the credits to"))
		}
		return s.addCredits(ctx, tx, r.Subject)
	}))
	// endregion
}

func (s *shop) mountEnqueue(mux *http.ServeMux) {
	// region enqueue-handler
	mux.Handle("POST /sendpromptly/repair", s.effects.EnqueueHandler(func(ctx context.Context, tx pgx.Tx, r engine.Repair) error {
		return s.jobs.InsertTx(ctx, tx, ApplyCredits{Key: r.Key, Account: r.Subject, ReplayID: r.ReplayID})
	}))
	// endregion
}

func (s *shop) acceptInBatch(ctx context.Context, tx pgx.Tx, k engine.Key, account string) error {
	// region batch-accept
	batch := &pgx.Batch{}
	batch.Queue(`INSERT INTO orders (event_id, account) VALUES ($1, $2) ON CONFLICT DO NOTHING`, k.EventID, account)
	err := s.effects.QueueAccept(batch, engine.Acceptance{Key: k, Subject: account}, nil)
	if err != nil {
		return err
	}
	return tx.SendBatch(ctx, batch).Close() // one round trip, as before
	// endregion
}

func (s *shop) applyInBatch(ctx context.Context, tx pgx.Tx, k engine.Key, account string) error {
	// region batch-succeed
	batch := &pgx.Batch{}
	batch.Queue(`UPDATE credits SET balance = balance + 100 WHERE account = $1`, account)
	if err := s.effects.QueueSucceed(batch, k); err != nil {
		return err
	}
	return tx.SendBatch(ctx, batch).Close()
	// endregion
}

func (s *shop) acceptQueued(ctx context.Context, queued []ApplyCredits) error {
	// region accept-many
	var list []engine.Acceptance
	for _, job := range queued {
		list = append(list, engine.Acceptance{Key: job.Key, Subject: job.Account})
	}
	return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		_, err := s.effects.AcceptMany(ctx, tx, list) // about 1,000 a call
		return err
	})
	// endregion
}

// newShop makes the app on a test's database.
func newShop(t testing.TB, db *enginetest.Database) *shop {
	t.Helper()
	_, err := db.Pool.Exec(t.Context(), `
		CREATE TABLE jobs (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, provider text, event_id text, effect text, account text, replay_id text);
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
	body, header, err := samples.Signed(provider, eventType, secret, samples.Values{EventID: eventID, Reference: "acct_1"}, time.Now())
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

	incident := db.RequireIncident(key("evt_1"), engine.StateMissing)
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
	if incident := db.RequireIncident(job.Key, engine.StateFailed); incident.ErrorMessage != "the ledger is down" {
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
	db.RequireIncident(job.Key, engine.StateFailed)
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
	incident := db.RequireIncident(key("evt_1"), engine.StateMissing)
	mux := http.NewServeMux()
	mount(mux)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	server.URL += "/sendpromptly/repair"
	repairAt(t, db, server)
	if _, err := s.effects.Reprocess(t.Context(), incident.ID, "ada@example.com"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.effects.Deliver(t.Context()); err != nil {
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
		t.Fatalf("without Adopt, work = %v", err)
	}
	if err := s.acceptQueued(t.Context(), []ApplyCredits{{Key: key("evt_2")}, {Key: key("evt_3")}}); err != nil {
		t.Fatal(err)
	}
	db.RequireState(key("evt_3"), engine.StateAwaiting)
	// region adopt
	effects, err := engine.New(s.pool, engine.Config{UnknownEffect: engine.Adopt})
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

func TestALostEventThatIsDeliveredAgainTellsSo(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	s := newShop(t, db)
	for range 2 {
		deliverSample(t, s.stripeWebhook, "stripe", "invoice.paid", stripeSecret, "evt_1")
	}
	if queue := s.queued(t); len(queue) != 1 { // taken by a worker that dies
		t.Fatalf("queued %+v", queue)
	}
	db.Travel(31 * time.Minute)
	db.RequireIncident(key("evt_1"), engine.StateMissing)
	if story := db.Story(key("evt_1")); !strings.Contains(story, "duplicate") {
		t.Error(story)
	}
}

func TestALateSuccessResolvesByItself(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	s := newShop(t, db)
	deliverSample(t, s.stripeWebhook, "stripe", "invoice.paid", stripeSecret, "evt_1")
	db.Travel(31 * time.Minute)
	db.RequireIncident(key("evt_1"), engine.StateMissing)
	db.Travel(29 * time.Minute)
	if err := s.work(t.Context(), s.queued(t)[0]); err != nil {
		t.Fatal(err)
	}
	s.requireCredits(t, 100)
	db.RequireApplied(key("evt_1"))
	db.RequireSound()
}

// Each of the ten event types, by each of the two causes: received, lost,
// found, repaired. docs/what-it-catches.md lists them.
func TestEveryEventTypeIsFoundAndRepaired(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	effects := db.Engine(engine.Config{AllowNetworks: loopback})
	repaired := map[engine.Key]int{}
	server := httptest.NewServer(effects.RepairHandler(func(_ context.Context, _ pgx.Tx, r engine.Repair) error {
		repaired[r.Key]++ // one callback at a time
		return nil
	}))
	t.Cleanup(server.Close)
	repairAt(t, db, server)
	for provider, types := range samples.Types {
		for _, eventType := range types {
			for _, cause := range []engine.State{engine.StateMissing, engine.StateFailed} {
				a := receiveSample(t, provider, eventType, eventType+"-"+string(cause))
				accept(t, db, effects, a)
				if cause == engine.StateFailed {
					if err := effects.Fail(t.Context(), a.Key, errors.New("no such account")); err != nil {
						t.Fatal(err)
					}
				} else {
					db.Travel(31 * time.Minute)
				}
				incident := db.RequireIncident(a.Key, cause)
				if incident.EventType != eventType || len(incident.Objects) == 0 || incident.Effect == "" {
					t.Errorf("%s: the incident does not tell its story: %+v", a.Key, incident)
				}
				if _, err := effects.Reprocess(t.Context(), incident.ID, "ada@example.com"); err != nil {
					t.Fatal(err)
				}
				if _, err := effects.Deliver(t.Context()); err != nil {
					t.Fatal(err)
				}
				db.RequireApplied(a.Key)
			}
		}
	}
	for k, times := range repaired {
		if times != 1 {
			t.Errorf("%s was repaired %d times", k, times)
		}
	}
	if len(repaired) != 20 {
		t.Errorf("%d effects were repaired, want 20", len(repaired))
	}
	db.RequireSound()
}

// receiveSample is a signed sample as the provider's package reads it.
func receiveSample(t testing.TB, provider, eventType, eventID string) engine.Acceptance {
	t.Helper()
	body, header, err := samples.Signed(provider, eventType, stripeSecret, samples.Values{EventID: eventID}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if provider == stripe.Provider {
		event, err := stripe.Open(body, header, time.Now(), stripeSecret)
		if err != nil {
			t.Fatal(err)
		}
		return event.Acceptance
	}
	event, err := shopify.Open(body, header, stripeSecret)
	if err != nil {
		t.Fatal(err)
	}
	return event.Acceptance
}
