package engine_test

import (
	"context"
	"log"
	"net/http"
	"os"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sendpromptly/sendpromptly/engine"
)

// All of it, in one place: an app has the parts where its webhook's handler, its
// worker and its router are.
func Example() {
	ctx := context.Background()
	pool, err := pgxpool.New(ctx, os.Getenv("DATABASE_URL"))
	if err != nil {
		log.Fatal(err)
	}
	if err := engine.Migrate(ctx, pool); err != nil {
		log.Fatal(err)
	}
	effects, err := engine.New(ctx, pool, engine.Config{})
	if err != nil {
		log.Fatal(err)
	}

	// The webhook's handler: the receipt commits with the job, or neither does.
	credits := engine.Key{Provider: "stripe", EventID: "evt_1", Effect: "credit_grant"}
	err = pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		receipt, err := effects.Accept(ctx, tx, engine.Acceptance{Key: credits, EventType: "invoice.paid", Subject: "acct_1"})
		if err != nil || receipt.Duplicate {
			return err
		}
		_, err = tx.Exec(ctx, `INSERT INTO jobs (event_id, account) VALUES ('evt_1', 'acct_1')`)
		return err
	})
	if err != nil {
		log.Fatal(err)
	}

	// The worker: the success commits with the effect, a failure is recorded after the rollback.
	grant := func(ctx context.Context, tx pgx.Tx, account string) error {
		_, err := tx.Exec(ctx, `UPDATE accounts SET credits = credits + 100 WHERE id = $1`, account)
		return err
	}
	err = effects.Apply(ctx, credits, func(ctx context.Context, tx pgx.Tx) error { return grant(ctx, tx, "acct_1") })
	if err != nil {
		log.Print(err)
	}

	// The router: what an operator asks for when an incident is open.
	http.Handle("POST /sendpromptly/repair", effects.RepairHandler(func(ctx context.Context, tx pgx.Tx, r engine.Repair) error {
		return grant(ctx, tx, r.Subject)
	}))

	// Beside the server: deadlines and callbacks, until ctx ends.
	log.Fatal(effects.Run(ctx))
}
