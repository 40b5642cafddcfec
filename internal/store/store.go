// Package store is the base of the code that the admin server and spadmin need and an app does not:
// the pool, the queries, the secret box and the store's transactions. The operations are in the
// packages below it, the rooms:
//
//   - projects: settings, alert destinations and messages, the audit log
//   - access: operators, tokens, API keys, sessions, idempotency keys
//   - incidents: plans, saved views, counts, effects, attempts, outcomes, statistics
//   - evidence: proofs, chains, their export, and erasing
//   - archive: effects leave the database, into files if wanted
//   - checks: verify, doctor, vitals
//
// Package rooms opens them all. None of it is for the payment path.
package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/dbsqlc"
	"github.com/sendpromptly/sendpromptly/internal/pg"
	"github.com/sendpromptly/sendpromptly/internal/secretbox"
)

// DB is one database with all its projects. The rooms use it.
type DB struct {
	Pool    *pgxpool.Pool
	Queries *dbsqlc.Queries
	// Box encrypts secrets; nil if they are stored unencrypted.
	Box *secretbox.Box
}

// Open returns a DB. secretKey encrypts callback secrets: 32 bytes in base64, by default
// SENDPROMPTLY_SECRET_KEY. Without a key they are stored unencrypted.
func Open(pool *pgxpool.Pool, secretKey string) (*DB, error) {
	if secretKey == "" {
		secretKey = os.Getenv("SENDPROMPTLY_SECRET_KEY")
	}
	db := &DB{Pool: pool, Queries: dbsqlc.New()}
	if secretKey == "" {
		return db, nil
	}
	box, err := secretbox.New(secretKey)
	if err != nil {
		return nil, &engine.FieldError{Field: "SENDPROMPTLY_SECRET_KEY", Reason: err.Error()}
	}
	db.Box = box
	return db, nil
}

// InTx runs one of the store's transactions: READ COMMITTED, whatever the database's default is.
// The SQL functions need a fresh snapshot for each statement, and an operator must see what others
// have just changed.
func (db *DB) InTx(ctx context.Context, work func(tx pgx.Tx) error) error {
	return pgx.BeginTxFunc(ctx, db.Pool, pg.ReadCommitted, work)
}

// Now returns the database's time.
func (db *DB) Now(ctx context.Context) (time.Time, error) {
	return db.Queries.ClockRead(ctx, db.Pool)
}

// notFound is an [engine.ErrNotFound] that says what was not found.
type notFound string

func (n notFound) Error() string { return string(n) + ": not found" }
func (n notFound) Unwrap() error { return engine.ErrNotFound }

// NotFound returns an [engine.ErrNotFound] that names the thing, formatted as by fmt.Sprintf.
func NotFound(format string, args ...any) error { return notFound(fmt.Sprintf(format, args...)) }

// OrNotFound turns the driver's error for no row into [NotFound] of what. It returns other errors,
// and nil, unchanged.
func OrNotFound(err error, what string) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return notFound(what)
	}
	return err
}
