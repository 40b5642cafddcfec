package migrate

import (
	"context"

	"github.com/jackc/pgx/v5/pgxpool"
)

// Build is what one build of the engine installs, for tests that let several
// meet in one database.
type Build struct{ source }

// ReadBuild is this build, with another name for the schema.
func ReadBuild(schema string) (Build, error) {
	s, err := read(schema)
	return Build{s}, err
}

// Next is a later build: more migrations, and its set of functions.
func (b Build) Next(number int, functions string, migrations ...Migration) Build {
	next := b.source
	next.steps = append(append([]Migration{}, b.steps[:len(b.steps)-1]...), migrations...)
	next.steps = append(next.steps, next.set(number, functions))
	return Build{next}
}

// WithLockTimeout waits for locks differently.
func (b Build) WithLockTimeout(timeout string) Build {
	b.lockTimeout = timeout
	return b
}

// Functions is the text of the set, without what frames it.
func (b Build) Functions() string { return b.steps[len(b.steps)-1].body }

// Up installs what is pending.
func (b Build) Up(ctx context.Context, pool *pgxpool.Pool) ([]Migration, error) {
	return b.up(ctx, pool)
}

// Status is Status of this build.
func (b Build) Status(ctx context.Context, pool *pgxpool.Pool) ([]Migration, error) {
	return b.status(ctx, pool)
}

// Grants is Grants of this build.
func (b Build) Grants(ctx context.Context, pool *pgxpool.Pool) ([]string, error) {
	return b.grantAgain(ctx, pool)
}
