package engine

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/internal/dbsqlc"
	"github.com/sendpromptly/sendpromptly/internal/pg"
)

// untilPartial repeats a step, each time in a transaction of its own, until it
// took less than a full batch.
func untilPartial(ctx context.Context, e *Engine, batch int, step func(context.Context, dbsqlc.DBTX, int) (int, error)) (total int, err error) {
	for {
		taken, err := pg.InTx(ctx, e.pool, func(tx pgx.Tx) (int, error) { return step(ctx, tx, batch) })
		total += taken
		if err != nil || taken < batch {
			return total, err
		}
	}
}
