package engine

import (
	"context"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sendpromptly/sendpromptly/internal/migrate"
	"github.com/sendpromptly/sendpromptly/internal/named"
)

// Migrate applies the migrations that this engine needs to the schema "sendpromptly" of the pool's
// database. If all are applied, it writes nothing. All instances may call it at once, also during a
// rolling update: an older version never reverts a newer one. While another instance migrates, it
// waits until that is done or ctx ends. It needs the privilege to create a schema. It also creates
// three roles, and skips them if it may not.
func Migrate(ctx context.Context, pool *pgxpool.Pool) error {
	if pool == nil {
		return &FieldError{"pool", "is nil"}
	}
	_, err := migrate.Up(ctx, pool)
	return named.Error("migrating", err)
}
