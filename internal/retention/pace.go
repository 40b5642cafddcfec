// Package retention removes settled effects: in short statements, with pauses between them. The
// engine's hourly step and spadmin share it.
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
	// Batch is how many effects one statement checks at most, if its time allows.
	Batch = 1000
	// share is the part of the time that is spent working; the app has the rest.
	share = 20
)

// Pace runs one step after another. The zero value pauses between them.
type Pace struct {
	// FullSpeed runs without pauses.
	FullSpeed bool
	// Longest is the longest time that a statement held its locks, up to its commit, by Postgres's
	// clock.
	Longest time.Duration
}

// Step calls work, which runs a single statement on db and returns how long that held its locks,
// and then pauses nineteen times as long. A single statement is its own transaction, so its commit
// waits for no client. If the database's default is stricter than READ COMMITTED, it runs in a
// transaction at that level.
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

// rest pauses for d; if ctx ends first, it returns ctx's error.
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
