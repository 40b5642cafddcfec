package migrate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sendpromptly/sendpromptly/internal/pg"
)

// How a migrator waits. It never waits long inside a statement: a waiting statement holds a
// snapshot, and CREATE INDEX CONCURRENTLY would wait for that.
const (
	pollEvery = 100 * time.Millisecond
	lockTries = 12
)

// errBusy means that another migrator is at work.
var errBusy = errors.New("another migrator is at work")

// Up installs all pending steps in one transaction and returns them. If nothing is pending, it
// writes nothing. Concurrent calls wait for each other until ctx ends. If a table is locked, it
// retries for a minute.
func Up(ctx context.Context, pool *pgxpool.Pool) ([]Migration, error) {
	s, err := released()
	if err != nil {
		return nil, err
	}
	return s.up(ctx, pool)
}

func (s source) up(ctx context.Context, pool *pgxpool.Pool) ([]Migration, error) {
	// Every instance of an app calls this when it starts, and almost always nothing is pending.
	if pending, err := s.pending(ctx, pool); err != nil || len(pending) == 0 {
		return nil, err
	}
	var done []Migration
	err := s.locked(ctx, pool, func(tx pgx.Tx) (err error) {
		done, err = s.pending(ctx, tx)
		if err != nil {
			return err
		}
		for _, m := range done {
			if err := run(ctx, tx, m.SQL); err != nil {
				return fmt.Errorf("migration %s: %w", m, err)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return done, nil
}

// pending returns the steps that the database does not have.
func (s source) pending(ctx context.Context, db querier) ([]Migration, error) {
	all, err := s.status(ctx, db)
	if err != nil {
		return nil, err
	}
	var pending []Migration
	for _, m := range all {
		if m.Pending() {
			pending = append(pending, m)
		}
	}
	return pending, nil
}

// locked runs work in the only transaction that may change the schema. It retries while another one
// does, and while work cannot get a lock.
func (s source) locked(ctx context.Context, pool *pgxpool.Pool, work func(tx pgx.Tx) error) error {
	for tries := 1; ; {
		err := pgx.BeginTxFunc(ctx, pool, pg.ReadCommitted, func(tx pgx.Tx) error {
			var free bool
			const try = `SELECT pg_try_advisory_xact_lock(hashtextextended('sendpromptly.migrate', 0))`
			if err := tx.QueryRow(ctx, s.render(try)).Scan(&free); err != nil {
				return err
			}
			if !free {
				return errBusy
			}
			if _, err := tx.Exec(ctx, "SET LOCAL lock_timeout = '"+s.lockTimeout+"'"); err != nil {
				return err
			}
			return work(tx)
		})
		var pg *pgconn.PgError
		switch {
		case errors.Is(err, errBusy):
		case errors.As(err, &pg) && pg.Code == "55P03" && tries < lockTries:
			tries++
		default:
			return err
		}
		if err := pause(ctx); err != nil {
			return err
		}
	}
}

func pause(ctx context.Context) error {
	timer := time.NewTimer(pollEvery)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// run sends many statements at once: without arguments they are one simple query.
func run(ctx context.Context, tx pgx.Tx, sql string) error {
	_, err := tx.Conn().PgConn().Exec(ctx, sql).ReadAll()
	return err
}
