package engine_test

import (
	"context"
	"errors"
	"net/http"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/engine"
)

// In the app's router: the repair does the effect, and its success commits with it.
func ExampleEngine_RepairHandler() {
	var effects *engine.Engine // of engine.New
	http.Handle("POST /sendpromptly/repair", effects.RepairHandler(func(ctx context.Context, tx pgx.Tx, r engine.Repair) error {
		if r.Subject == "" {
			return engine.Permanent(errors.New("nobody to give the credits to"))
		}
		return addCredits(ctx, tx, r.Subject)
	}))
}

// In the app's router: the repair queues the job again. The worker applies the effect and reports, as in [Engine.Apply].
func ExampleEngine_EnqueueHandler() {
	var (
		effects *engine.Engine // of engine.New
		queue   jobs           // any that inserts in the caller's transaction
	)
	http.Handle("POST /sendpromptly/repair", effects.EnqueueHandler(func(ctx context.Context, tx pgx.Tx, r engine.Repair) error {
		return queue.InsertTx(ctx, tx, ApplyCredits{Key: r.Key, Account: r.Subject, ReplayID: r.ReplayID})
	}))
}
