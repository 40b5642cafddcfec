package engine_test

import (
	"context"
	"net/http"
	"os"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/stripe"
)

// In the webhook's handler: the receipt commits with the job, or neither does.
func ExampleEngine_Accept() {
	var (
		effects *engine.Engine // of engine.New
		pool    *pgxpool.Pool
		queue   jobs // any that inserts in the caller's transaction
	)
	http.HandleFunc("POST /webhooks/stripe", func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		event, err := stripe.Receive(r, os.Getenv("STRIPE_WEBHOOK_SECRET"))
		if err != nil {
			http.Error(w, "refused", http.StatusBadRequest)
			return
		}
		event.Subject = event.Metadata["account_id"]
		err = pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
			receipt, err := effects.Accept(ctx, tx, event.Acceptance)
			if err != nil || receipt.Duplicate {
				return err
			}
			return queue.InsertTx(ctx, tx, ApplyCredits{Key: event.Key, Account: event.Subject})
		})
		if err != nil {
			http.Error(w, "try again", http.StatusInternalServerError)
		}
	})
}

// A handler that sends its statements as a batch has the receipt in it, without a round trip more.
func ExampleEngine_QueueAccept() {
	var (
		effects *engine.Engine // of engine.New
		pool    *pgxpool.Pool
		ctx     = context.Background()
	)
	takeOrder := func(order engine.Acceptance) (receipt engine.Receipt, err error) {
		batch := &pgx.Batch{}
		batch.Queue(`INSERT INTO orders (event_id, account) VALUES ($1, $2) ON CONFLICT DO NOTHING`, order.EventID, order.Subject)
		err = effects.QueueAccept(batch, order, func(r engine.Receipt) error {
			receipt = r
			return nil
		})
		if err != nil {
			return receipt, err
		}
		err = pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error { return tx.SendBatch(ctx, batch).Close() })
		return receipt, err
	}
	_ = takeOrder
}
