package engine_test

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sendpromptly/sendpromptly/engine"
)

// addCredits stands for an app's effect.
func addCredits(ctx context.Context, tx pgx.Tx, account string) error {
	_, err := tx.Exec(ctx, `UPDATE accounts SET credits = credits + 100 WHERE id = $1`, account)
	return err
}

// In the worker: the success commits with the effect, and a failure is recorded after the rollback.
func ExampleEngine_Apply() {
	var effects *engine.Engine // of engine.New
	work := func(ctx context.Context, job ApplyCredits) error {
		return effects.Apply(ctx, job.Key, func(ctx context.Context, tx pgx.Tx) error {
			err := addCredits(ctx, tx, job.Account)
			if err != nil && !job.LastTry {
				return engine.WillRetry(err) // the queue tries again: no incident yet
			}
			return err
		}, engine.WithReplay(job.ReplayID))
	}
	_ = work
}

// A worker that owns its transaction records the success last in it.
func ExampleEngine_Succeed() {
	var (
		effects *engine.Engine // of engine.New
		pool    *pgxpool.Pool
	)
	work := func(ctx context.Context, job ApplyCredits) error {
		return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
			if err := addCredits(ctx, tx, job.Account); err != nil {
				return err
			}
			return effects.Succeed(ctx, tx, job.Key)
		})
	}
	_ = work
}

// Where the effect's transaction failed, Fail says so after it: it has a transaction of its own.
func ExampleEngine_Fail() {
	var (
		effects *engine.Engine // of engine.New
		work    func(ctx context.Context, job ApplyCredits) error
	)
	lastTry := func(ctx context.Context, job ApplyCredits) error {
		err := work(ctx, job)
		if err != nil {
			return errors.Join(err, effects.Fail(ctx, job.Key, err, engine.WithCode("ledger_down")))
		}
		return nil
	}
	_ = lastTry
}
