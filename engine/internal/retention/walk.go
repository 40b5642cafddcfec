package retention

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sendpromptly/sendpromptly/engine/internal/dbsqlc"
)

// Least is the shortest time that a settled effect is kept.
const Least = 35 * 24 * time.Hour

// First is before every effect's id.
const First = "00000000-0000-0000-0000-000000000000"

// Walk removes a project's effects that were settled before a moment, from the
// oldest to the newest, or only counts them. It returns how many it looked at
// and how many went.
func Walk(ctx context.Context, pool *pgxpool.Pool, q *dbsqlc.Queries, p *Pace, project string, before time.Time, dryRun bool) (seen, gone int, err error) {
	for after := First; ; {
		full := false
		err := p.InTx(ctx, pool, q, func(tx pgx.Tx, batch int) error {
			row, err := q.EffectsRetain(ctx, tx, dbsqlc.EffectsRetainParams{Project: project, SettledBefore: before, After: after, Batch: batch, DryRun: dryRun})
			if err != nil {
				return err
			}
			seen, gone, after, full = seen+row.Taken, gone+row.Gone, row.Last, row.Taken == batch
			return nil
		})
		if err != nil || !full {
			return seen, gone, err
		}
	}
}
