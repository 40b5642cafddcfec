// Package pg holds the few forms in which every room hands values to Postgres
// and takes them back, and the transactions that we begin ourselves.
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

// Optional is nil for an empty text, which Postgres then stores as null.
func Optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// Value is what a pointer points to, the zero value for nil.
func Value[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// Interval writes a duration as Postgres reads it, in whole microseconds.
func Interval(d time.Duration) string {
	return strconv.FormatInt(d.Microseconds(), 10) + " microseconds"
}

// FromSeconds is a duration as Postgres gives it to us: in seconds.
func FromSeconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// ReadCommitted is the level of the transactions that we begin ourselves,
// whatever the database's default is: the guards in the SQL functions count on a
// fresh snapshot for each statement.
var ReadCommitted = pgx.TxOptions{IsoLevel: pgx.ReadCommitted}

// InTx runs work in a short transaction of our own and returns its result.
func InTx[T any](ctx context.Context, pool *pgxpool.Pool, work func(tx pgx.Tx) (T, error)) (result T, err error) {
	err = pgx.BeginTxFunc(ctx, pool, ReadCommitted, func(tx pgx.Tx) error {
		result, err = work(tx)
		return err
	})
	return result, err
}

// RowsFault says whether Postgres refused because of the data at hand: raised
// errors (P0), bad data (22), constraint violations (23), index limits (54). The
// function rows_fault says the same in SQL.
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
