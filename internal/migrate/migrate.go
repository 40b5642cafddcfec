// Package migrate installs the schema: the numbered files of sql/schema, then
// the functions of sql/functions as one set.
//
// A migration runs once and never changes after its release. The set of functions is the current
// text of all functions. It is installed in the same transaction, if the database has another text
// and no newer number: an older binary never replaces a newer set.
//
// Functions are replaced in place, so that running calls are not affected. A function that is gone,
// or whose head (name, arguments, result, settings) changed, cannot be replaced: it moves to the
// schema sendpromptly_before for the calls that are still running, and the next set drops it. When
// it was dropped at once, a transaction of four busy clients failed in one of eight installations,
// with "cache lookup failed" (measured, with accept); this way none failed. Each set records the
// hash of every head in its row. A privilege on a single function moves with the old function:
// grant the roles instead.
//
// Both are numbered together, in sendpromptly.migrations: the set has the number
// after the last migration (see functions.Number). An engine needs that number,
// and starts on a higher one.
//
// Tools such as goose use the same text ([Files]): each file adds its own row.
package migrate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Migration is one numbered step: a file of sql/schema, or the set of functions.
type Migration struct {
	Version int    `json:"version"`
	Name    string `json:"name"`
	SQL     string `json:"-"`
	// AppliedAt is zero while the step is pending. Only Status fills it.
	AppliedAt time.Time `json:"applied_at,omitzero"`
	// SupersededBy is the number of the newer set of functions in the database. This one is then
	// neither applied nor pending.
	SupersededBy int `json:"superseded_by,omitempty"`
	// body is the set's text without the frame, and hash is the hash of body; both are empty for a
	// migration.
	body, hash string
}

// String returns the step's file name without its ending.
func (m Migration) String() string { return fmt.Sprintf("%05d_%s", m.Version, m.Name) }

// Pending reports whether Up would install the step.
func (m Migration) Pending() bool { return m.AppliedAt.IsZero() && m.SupersededBy == 0 }

// Latest returns the number that this build of the engine needs.
func Latest() (int, error) {
	s, err := released()
	if err != nil {
		return 0, err
	}
	return s.steps[len(s.steps)-1].Version, nil
}

// Status returns all steps with the time at which each was applied.
func Status(ctx context.Context, pool *pgxpool.Pool) ([]Migration, error) {
	s, err := released()
	if err != nil {
		return nil, err
	}
	return s.status(ctx, pool)
}

type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// row is the database's record of one step.
type row struct {
	version int
	at      time.Time
	hash    string
}

// status compares the steps with the database's records.
func (s source) status(ctx context.Context, db querier) ([]Migration, error) {
	rows, err := s.recorded(ctx, db)
	if err != nil {
		return nil, err
	}
	steps := slices.Clone(s.steps)
	for i := range steps {
		m := &steps[i]
		for _, r := range rows {
			switch {
			case r.version == m.Version && r.hash == m.hash:
				m.AppliedAt = r.at
			case m.hash != "" && r.hash != "" && r.version > m.Version:
				m.SupersededBy = r.version
			}
		}
	}
	return steps, nil
}

// recorded reads the rows; there are none if the table does not exist.
func (s source) recorded(ctx context.Context, db querier) ([]row, error) {
	var exists bool
	if err := db.QueryRow(ctx, s.render(`SELECT to_regclass('sendpromptly.migrations') IS NOT NULL`)).
		Scan(&exists); err != nil ||
		!exists {
		return nil, err
	}
	rows, err := db.Query(
		ctx,
		s.render(`SELECT m.version, m.applied_at, coalesce(m.hash, '') FROM sendpromptly.migrations AS m ORDER BY m.version`),
	)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(r pgx.CollectableRow) (one row, err error) {
		return one, r.Scan(&one.version, &one.at, &one.hash)
	})
}

// IsMissing reports whether an error of Postgres means that the schema or a part of it does not
// exist yet.
func IsMissing(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "3F000" || pg.Code == "42P01" || pg.Code == "42883")
}
