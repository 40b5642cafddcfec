package engine

import (
	"context"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sendpromptly/sendpromptly/internal/migrate"
	"github.com/sendpromptly/sendpromptly/internal/named"
)

// Migrate brings the schema "sendpromptly" of the pool's database up to what
// this engine needs. It is safe to call from every instance at once, also from
// instances of several versions: an older one never takes anything back. It
// writes nothing where all is applied. It needs the right to create a schema; the
// three roles are created where that is allowed and skipped where it is not.
// Where another instance migrates it waits until ctx ends.
func Migrate(ctx context.Context, pool *pgxpool.Pool) error {
	if pool == nil {
		return &FieldError{"pool", "is nil"}
	}
	_, err := migrate.Up(ctx, pool)
	return named.Error("migrating", err)
}
