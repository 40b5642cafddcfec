// Package store holds what the admin server and spadmin need and an app does
// not: projects, their secrets, keys and alerts; operators, tokens and sessions;
// statistics, plans and views of the console; issued proofs, erasing and the
// archive; the checks of verify, doctor and audit; and where the schema stands.
// It is not for the payment path.
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
	"github.com/sendpromptly/sendpromptly/internal/id"
	"github.com/sendpromptly/sendpromptly/internal/migrate"
	"github.com/sendpromptly/sendpromptly/internal/secretbox"
)

// Store works on all projects of one database.
type Store struct {
	pool    *pgxpool.Pool
	queries *dbsqlc.Queries
	box     *secretbox.Box
}

// New makes a store. secretKey seals callback secrets: 32 bytes in base64, by
// default SENDPROMPTLY_SECRET_KEY; without it they are stored plain.
func New(pool *pgxpool.Pool, secretKey string) (*Store, error) {
	if secretKey == "" {
		secretKey = os.Getenv("SENDPROMPTLY_SECRET_KEY")
	}
	s := &Store{pool: pool, queries: dbsqlc.New()}
	if secretKey == "" {
		return s, nil
	}
	box, err := secretbox.New(secretKey)
	if err != nil {
		return nil, &engine.FieldError{Field: "SENDPROMPTLY_SECRET_KEY", Reason: err.Error()}
	}
	s.box = box
	return s, nil
}

// inTx runs one of the store's own transactions: READ COMMITTED, whatever the
// database's default is, because the SQL functions count on a fresh snapshot for
// each statement, and an operator is told what somebody else did meanwhile.
func (s *Store) inTx(ctx context.Context, work func(tx pgx.Tx) error) error {
	return pgx.BeginTxFunc(ctx, s.pool, pgx.TxOptions{IsoLevel: pgx.ReadCommitted}, work)
}

// ErrNotFound means that there is no such project, incident or effect.
var ErrNotFound = errors.New("not found")

// Migration is one numbered file of the schema.
type Migration struct {
	Version int    `json:"version"`
	Name    string `json:"name"`
	SQL     string `json:"-"`
	// AppliedAt is zero while it is pending.
	AppliedAt time.Time `json:"applied_at,omitzero"`
}

// MigrateUp applies what is pending and returns it.
func MigrateUp(ctx context.Context, pool *pgxpool.Pool) ([]Migration, error) {
	done, err := migrate.Up(ctx, pool)
	return migrations(done), err
}

// Migrations returns all migrations and when each was applied.
func Migrations(ctx context.Context, pool *pgxpool.Pool) ([]Migration, error) {
	all, err := migrate.Status(ctx, pool)
	return migrations(all), err
}

// MigrationFiles returns all migrations without asking a database.
func MigrationFiles() ([]Migration, error) {
	all, err := migrate.All()
	return migrations(all), err
}

func migrations(from []migrate.Migration) []Migration {
	to := make([]Migration, len(from))
	for i, m := range from {
		to[i] = Migration(m)
	}
	return to
}

// ProjectOfIncident names the project that an incident belongs to, or [ErrNotFound].
func (s *Store) ProjectOfIncident(ctx context.Context, incident engine.IncidentID) (string, error) {
	if !id.Valid(string(incident)) {
		return "", &engine.FieldError{Field: "incident", Reason: "is not an id of ours, a UUID"}
	}
	name, err := s.queries.IncidentProject(ctx, s.pool, string(incident))
	if errors.Is(err, pgx.ErrNoRows) {
		return "", fmt.Errorf("incident %s: %w", incident, ErrNotFound)
	}
	return name, err
}
