// Package pg converts values for Postgres and back, and begins our own transactions.
package pg

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Optional returns nil for an empty text, which Postgres stores as null.
func Optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// Value returns what a pointer points to, or the zero value for nil.
func Value[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// Interval formats a duration for Postgres, in whole microseconds.
func Interval(d time.Duration) string {
	return strconv.FormatInt(d.Microseconds(), 10) + " microseconds"
}

// FromSeconds converts seconds from Postgres to a duration.
func FromSeconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// ReadCommitted is the level of our own transactions, whatever the database's default is: the SQL
// functions need a fresh snapshot for each statement.
var ReadCommitted = pgx.TxOptions{IsoLevel: pgx.ReadCommitted}

// InTx runs work in a short transaction of our own and returns its result.
func InTx[T any](ctx context.Context, pool *pgxpool.Pool, work func(tx pgx.Tx) (T, error)) (result T, err error) {
	err = pgx.BeginTxFunc(ctx, pool, ReadCommitted, func(tx pgx.Tx) error {
		result, err = work(tx)
		return err
	})
	return result, err
}

// RowsFault reports whether the data caused an error of Postgres: raised errors (P0), bad data
// (22), constraint violations (23), index limits (54). The SQL function rows_fault does the same.
func RowsFault(err error) bool {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) || len(pg.Code) != 5 {
		return false
	}
	switch pg.Code[:2] {
	case "P0", "22", "23", "54":
		return true
	}
	return false
}
