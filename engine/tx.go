package engine

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sendpromptly/sendpromptly/internal/dbsqlc"
)

// readCommitted are the transactions that the engine opens itself, whatever
// the database's default is: the guards in the SQL functions count on a fresh
// snapshot for each statement.
var readCommitted = pgx.TxOptions{IsoLevel: pgx.ReadCommitted}

// inTx runs one of the engine's own short transactions.
func inTx[T any](ctx context.Context, pool *pgxpool.Pool, work func(tx pgx.Tx) (T, error)) (result T, err error) {
	err = pgx.BeginTxFunc(ctx, pool, readCommitted, func(tx pgx.Tx) error {
		result, err = work(tx)
		return err
	})
	return result, err
}

// untilPartial repeats a step, each time in a transaction of its own, until it
// took less than a full batch.
func untilPartial(ctx context.Context, e *Engine, batch int, step func(context.Context, dbsqlc.DBTX, int) (int, error)) (total int, err error) {
	for {
		taken, err := inTx(ctx, e.pool, func(tx pgx.Tx) (int, error) { return step(ctx, tx, batch) })
		total += taken
		if err != nil || taken < batch {
			return total, err
		}
	}
}
