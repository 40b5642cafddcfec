package retention

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sendpromptly/sendpromptly/internal/dbsqlc"
)

// Least is the shortest retention of settled effects.
const Least = 35 * 24 * time.Hour

// First sorts before every effect's id.
const First = "00000000-0000-0000-0000-000000000000"

// Walk removes a project's effects that were settled before a given time, oldest first, or only
// counts them. It returns how many it checked and how many it removed.
func Walk(
	ctx context.Context,
	pool *pgxpool.Pool,
	q *dbsqlc.Queries,
	p *Pace,
	project string,
	before time.Time,
	dryRun bool,
) (seen, gone int, err error) {
	params := dbsqlc.EffectsRetainParams{Project: project, SettledBefore: before, After: First, Batch: Batch, DryRun: dryRun}
	for {
		var row dbsqlc.EffectsRetainRow
		err := p.Step(ctx, pool, func(db dbsqlc.DBTX) (held float64, err error) {
			row, err = q.EffectsRetain(ctx, db, params)
			return row.HeldSeconds, err
		})
		seen, gone, params.After = seen+row.Taken, gone+row.Gone, row.Last
		if err != nil || row.Taken == 0 {
			return seen, gone, err
		}
	}
}
