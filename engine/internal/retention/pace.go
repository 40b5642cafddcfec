// Package retention is how settled effects leave: in transactions that are kept
// short by measuring them, with rests between them. The engine's hourly step
// and spadmin share it.
package retention

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sendpromptly/sendpromptly/engine/internal/dbsqlc"
)

const (
	// longest is what a statement may take: Postgres ends it then, and its locks
	// go. With the commit it stays below 100 ms.
	longest = 75 * time.Millisecond
	// slow and quick are when the batch is halved or doubled.
	slow, quick = 25 * time.Millisecond, 10 * time.Millisecond
	// fewest and most bound the batch.
	fewest, most = 10, 1000
	// share is the part of the time that is spent working: the rest belongs to the app.
	share = 20
	// patience is how many of the smallest batches may be late in a row: those of
	// a new connection are, on a busy machine, because it has no plans yet.
	patience = 10
)

// Pace keeps transactions short. The zero value begins with small batches and rests.
type Pace struct {
	// FullSpeed leaves out the rests.
	FullSpeed bool
	// Longest is the longest transaction so far, from its first statement's start to the end of its commit.
	Longest time.Duration

	batch int
}

// InTx runs one step in a transaction of its own. A statement that takes longer
// than 75 ms is ended by Postgres, and the step is tried again with a quarter of
// the batch. It rests after every try, nineteen times as long as that took.
func (p *Pace) InTx(ctx context.Context, pool *pgxpool.Pool, q *dbsqlc.Queries, step func(tx pgx.Tx, batch int) error) error {
	if p.batch == 0 {
		p.batch = fewest * 10
	}
	for late := 0; ; {
		took, err := p.once(ctx, pool, q, step)
		p.Longest = max(p.Longest, took)
		var pg *pgconn.PgError
		if err != nil && (!errors.As(err, &pg) || pg.Code != "57014" || ctx.Err() != nil) { // query_canceled
			return err
		}
		if err != nil && p.batch == fewest {
			late++
		}
		if late == patience {
			return err
		}
		p.adapt(took, err != nil)
		if !p.FullSpeed {
			if err := rest(ctx, took*(share-1)); err != nil {
				return err
			}
		}
		if err == nil {
			return nil
		}
	}
}

// adapt chooses the next batch by what the last one took.
func (p *Pace) adapt(took time.Duration, late bool) {
	switch {
	case late:
		p.batch = max(p.batch/4, fewest)
	case took > slow:
		p.batch = max(p.batch/2, fewest)
	case took < quick:
		p.batch = min(p.batch*2, most)
	}
}

func (p *Pace) once(ctx context.Context, pool *pgxpool.Pool, q *dbsqlc.Queries, step func(tx pgx.Tx, batch int) error) (took time.Duration, err error) {
	var began time.Time
	err = pgx.BeginTxFunc(ctx, pool, pgx.TxOptions{IsoLevel: pgx.ReadCommitted}, func(tx pgx.Tx) error {
		if err := q.StatementBound(ctx, tx, strconv.FormatInt(longest.Milliseconds(), 10)); err != nil {
			return err
		}
		began = time.Now()
		return step(tx, p.batch)
	})
	return time.Since(began), err
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
