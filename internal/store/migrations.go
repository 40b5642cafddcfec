package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sendpromptly/sendpromptly/internal/migrate"
)

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
