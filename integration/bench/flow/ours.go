package flow

import (
	"context"
	"log/slog"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/integration/bench/pg"
)

// Schema is the schema of this project's tables.
const Schema = "sendpromptly"

// NewEngine migrates the database and makes an engine on it that logs nothing.
func NewEngine(ctx context.Context, pool *pg.Pool) (*engine.Engine, error) {
	if err := engine.Migrate(ctx, pool.Pool); err != nil {
		return nil, err
	}
	return engine.New(ctx, pool.Pool, engine.Config{Logger: slog.New(slog.DiscardHandler)})
}

// accept records the receipt with a statement of its own.
func accept(e *engine.Engine) step {
	return func(ctx context.Context, tx pgx.Tx, f *Flow) error {
		_, err := e.Accept(ctx, tx, f.Acceptance())
		return err
	}
}

// buildPlain calls Accept and Succeed in the app's transactions.
func buildPlain(ctx context.Context, pool *pg.Pool) (*System, error) {
	e, err := NewEngine(ctx, pool)
	if err != nil {
		return nil, err
	}
	return &System{
		Baseline: Bare, Schema: Schema, First: plain(pool, writeOrder, accept(e)),
		Second: plain(pool, writeCredits, func(ctx context.Context, tx pgx.Tx, f *Flow) error { return e.Succeed(ctx, tx, f.Key) }),
	}, nil
}

// buildBatched queues both in the app's own batch. Its baseline is the app that batches too.
func buildBatched(ctx context.Context, pool *pg.Pool) (*System, error) {
	e, err := NewEngine(ctx, pool)
	if err != nil {
		return nil, err
	}
	return &System{
		Baseline: BareBatched, Schema: Schema,
		First: batched(pool, queueOrder, func(b *pgx.Batch, f *Flow) error { //nolint:contextcheck // it is called within the batch
			return e.QueueAccept(b, f.Acceptance(), nil)
		}),
		Second: batched(pool, queueCredits, func(b *pgx.Batch, f *Flow) error { return e.QueueSucceed(b, f.Key) }),
	}, nil
}

// buildApply runs the second transaction with Apply.
func buildApply(ctx context.Context, pool *pg.Pool) (*System, error) {
	e, err := NewEngine(ctx, pool)
	if err != nil {
		return nil, err
	}
	return &System{
		Baseline: Bare, Schema: Schema, First: plain(pool, writeOrder, accept(e)),
		Second: func(ctx context.Context, f *Flow) error {
			return e.Apply(ctx, f.Key, func(ctx context.Context, tx pgx.Tx) error { return writeCredits(ctx, tx, f) })
		},
	}, nil
}
