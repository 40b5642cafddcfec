package engine_test

// What README.md and docs/quickstart.md show. Their Go blocks are the regions
// of this file and of example_readme_test.go, which runs this code; a test in
// internal/readme holds them together.

import (
	"context"
	"errors"
	"net/http"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/shopify"
	"github.com/sendpromptly/sendpromptly/engine/stripe"
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
	_, err := tx.Exec(
		ctx,
		`INSERT INTO credits VALUES ($1, 100) ON CONFLICT (account) DO UPDATE SET balance = credits.balance + 100`,
		account,
	)
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
	return s.effects.Apply(ctx, job.Key, func(ctx context.Context, tx pgx.Tx) error { return s.addCredits(ctx, tx, job.Account) })
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
	return s.effects.Apply(ctx, job.Key, func(ctx context.Context, tx pgx.Tx) error {
		err := s.addCredits(ctx, tx, job.Account)
		if err != nil && !job.LastTry {
			return engine.WillRetry(err) // the queue will try again: no incident yet
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
