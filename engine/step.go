package engine

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/internal/caught"
	"github.com/sendpromptly/sendpromptly/internal/dbsqlc"
	"github.com/sendpromptly/sendpromptly/internal/pg"
)

// apartBatch is how many rows of a failed batch are taken one by one. Each needs a subtransaction,
// and Postgres caches 64 per transaction.
const apartBatch = 50

// untilTaken repeats a step until a batch is not full, and returns how many rows it took. If a row
// makes a batch fail, the next rows are taken one by one, so that the step postpones the failing
// rows and takes the others. A panic is returned as an error, so that the caller continues with its
// other work.
func (e *Engine) untilTaken(
	ctx context.Context,
	full int,
	step func(ctx context.Context, tx pgx.Tx, batch int, apart bool) (int, error),
) (total int, err error) {
	defer caught.Panic(&err)
	for batch, apart := full, false; ; {
		taken, err := pg.InTx(ctx, e.pool, func(tx pgx.Tx) (int, error) { return step(ctx, tx, batch, apart) })
		if err != nil && !apart && pg.RowsFault(err) {
			batch, apart = apartBatch, true
			continue
		}
		if err != nil {
			return total, err
		}
		total += taken
		if taken < batch {
			return total, nil
		}
		batch, apart = full, false
	}
}

// untilPartial repeats a step, each time in a transaction of its own, until it takes less than a
// full batch.
func untilPartial(
	ctx context.Context,
	e *Engine,
	batch int,
	step func(context.Context, dbsqlc.DBTX, int) (int, error),
) (total int, err error) {
	for {
		taken, err := pg.InTx(ctx, e.pool, func(tx pgx.Tx) (int, error) { return step(ctx, tx, batch) })
		total += taken
		if err != nil || taken < batch {
			return total, err
		}
	}
}
