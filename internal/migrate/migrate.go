// Package migrate applies the numbered files of sql/schema. It reads goose's
// annotations but needs only their order: all that is pending runs in one
// transaction, under a lock, so that any number of migrators may start at once.
package migrate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sendpromptly/sendpromptly/sql/schema"
)

// Migration is one file of sql/schema.
type Migration struct {
	Version int
	Name    string
	SQL     string
	// AppliedAt is zero while the migration is pending. Only Status fills it.
	AppliedAt time.Time
}

// All returns the migrations in order.
func All() ([]Migration, error) {
	entries, err := fs.ReadDir(schema.Files, ".")
	if err != nil {
		return nil, err
	}
	var all []Migration
	for _, entry := range entries {
		number, name, ok := strings.Cut(strings.TrimSuffix(entry.Name(), ".sql"), "_")
		version, err := strconv.Atoi(number)
		if !ok || err != nil {
			return nil, fmt.Errorf("migration file %s: want NUMBER_name.sql", entry.Name())
		}
		body, err := fs.ReadFile(schema.Files, entry.Name())
		if err != nil {
			return nil, err
		}
		all = append(all, Migration{Version: version, Name: name, SQL: string(body)})
	}
	return all, nil
}

// Latest is the version that this build of the engine needs.
func Latest() (int, error) {
	all, err := All()
	if err != nil {
		return 0, err
	}
	return all[len(all)-1].Version, nil
}

// Up applies what is pending and returns it. Concurrent calls wait for each other.
func Up(ctx context.Context, pool *pgxpool.Pool) ([]Migration, error) {
	all, err := All()
	if err != nil {
		return nil, err
	}
	var done []Migration
	err = pgx.BeginTxFunc(ctx, pool, pgx.TxOptions{IsoLevel: pgx.ReadCommitted}, func(tx pgx.Tx) error {
		const lock = `SELECT pg_advisory_xact_lock(hashtextextended('sendpromptly.migrate', 0))`
		if _, err := tx.Exec(ctx, lock); err != nil {
			return err
		}
		applied, err := versions(ctx, tx)
		if err != nil {
			return err
		}
		for _, m := range all {
			if _, ok := applied[m.Version]; ok {
				continue
			}
			// Without arguments pgx sends one simple query, which may hold many statements.
			if _, err := tx.Conn().PgConn().Exec(ctx, m.SQL).ReadAll(); err != nil {
				return fmt.Errorf("migration %04d_%s: %w", m.Version, m.Name, err)
			}
			done = append(done, m)
		}
		return nil
	})
	return done, err
}

// Status returns all migrations with the time at which each was applied.
func Status(ctx context.Context, pool *pgxpool.Pool) ([]Migration, error) {
	all, err := All()
	if err != nil {
		return nil, err
	}
	applied, err := versions(ctx, pool)
	if err != nil {
		return nil, err
	}
	for i := range all {
		all[i].AppliedAt = applied[all[i].Version]
	}
	return all, nil
}

type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// versions reads when each version was applied; nothing at all is applied
// where the table does not exist.
func versions(ctx context.Context, db querier) (map[int]time.Time, error) {
	applied := map[int]time.Time{}
	var exists bool
	if err := db.QueryRow(ctx, `SELECT to_regclass('sendpromptly.migrations') IS NOT NULL`).Scan(&exists); err != nil || !exists {
		return applied, err
	}
	rows, err := db.Query(ctx, `SELECT m.version, m.applied_at FROM sendpromptly.migrations AS m`)
	if err != nil {
		return nil, err
	}
	var version int
	var at time.Time
	_, err = pgx.ForEachRow(rows, []any{&version, &at}, func() error {
		applied[version] = at
		return nil
	})
	return applied, err
}

// IsMissing says whether an error of Postgres means that the schema or a part
// of it is not there yet.
func IsMissing(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "3F000" || pg.Code == "42P01" || pg.Code == "42883")
}
