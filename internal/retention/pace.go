// Package retention is how settled effects leave: in statements that Postgres
// itself keeps short, with rests between them. The engine's hourly step and
// spadmin share it.
package retention

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sendpromptly/sendpromptly/internal/dbsqlc"
	"github.com/sendpromptly/sendpromptly/internal/pg"
)

const (
	// Batch is the most that one statement looks at, if its time lasts.
	Batch = 1000
	// share is the part of the time that is spent working: the rest belongs to the app.
	share = 20
)

// Pace takes one step after another. The zero value rests in between.
type Pace struct {
	// FullSpeed leaves out the rests.
	FullSpeed bool
	// Longest is the longest that a statement held its locks, by Postgres's clock,
	// up to its commit.
	Longest time.Duration
}

// Step calls work, which runs a single statement on db and says how long that
// held its locks, and then rests nineteen times as long. A statement
// alone is its own transaction, whose commit waits for no client; where the
// database's default is stricter than READ COMMITTED it gets one at that level.
func (p *Pace) Step(ctx context.Context, pool *pgxpool.Pool, work func(db dbsqlc.DBTX) (heldSeconds float64, err error)) error {
	held, err := work(pool)
	var refused *pgconn.PgError
	if errors.As(err, &refused) && refused.Code == "SP005" {
		err = pgx.BeginTxFunc(ctx, pool, pg.ReadCommitted, func(tx pgx.Tx) (err error) {
			held, err = work(tx)
			return err
		})
	}
	if err != nil {
		return err
	}
	worked := time.Duration(held * float64(time.Second))
	p.Longest = max(p.Longest, worked)
	if p.FullSpeed {
		return ctx.Err()
	}
	return rest(ctx, worked*(share-1))
}

// rest returns ctx's error if it ended first.
func rest(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
