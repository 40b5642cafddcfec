package engine_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
)

// patience bounds every wait for a condition: far more than any takes, so that
// a busy machine fails nothing, and a hang ends.
const patience = 2 * time.Minute

// heavy says whether the stress tests run at their full size, minutes instead of seconds.
func heavy() bool { return os.Getenv("SENDPROMPTLY_HEAVY") != "" }

// eventually polls until the condition holds.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	ticker := time.NewTicker(2 * time.Millisecond)
	defer ticker.Stop()
	late := time.NewTimer(patience)
	defer late.Stop()
	for !holds() {
		select {
		case <-ticker.C:
		case <-late.C:
			t.Fatalf("waited %s in vain: %s", patience, what)
		}
	}
}

// receive takes one value from a channel, within patience.
func receive[T any](t testing.TB, what string, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(patience):
		t.Fatalf("waited %s in vain: %s", patience, what)
		panic("not reached")
	}
}

// newGate makes a channel that others wait on until the test opens it, which it
// does at its end at the latest, so that a failure leaves nobody waiting.
func newGate(t testing.TB) (gate <-chan struct{}, openGate func()) {
	c := make(chan struct{})
	openGate = sync.OnceFunc(func() { close(c) })
	t.Cleanup(openGate)
	return c, openGate
}

// start runs f beside the test and hands over what it returns.
func start[T any](f func() T) <-chan T {
	done := make(chan T, 1)
	go func() { done <- f() }()
	return done
}

// newPool opens another pool on the test's database, of the app under test or
// of one more engine. name is its application_name.
func newPool(t testing.TB, db *enginetest.Database, name string, size int32) *pgxpool.Pool {
	t.Helper()
	cfg, err := pgxpool.ParseConfig(db.URL)
	if err != nil {
		t.Fatal(err)
	}
	cfg.MaxConns = size
	cfg.ConnConfig.RuntimeParams["application_name"] = name
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// engineOn makes an engine with a pool of its own.
func engineOn(t testing.TB, pool *pgxpool.Pool, cfg engine.Config) *engine.Engine {
	t.Helper()
	e, err := engine.New(t.Context(), pool, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// open begins a transaction that the test holds; it is rolled back at the end
// unless it ended before.
func open(t testing.TB, pool *pgxpool.Pool, options pgx.TxOptions) pgx.Tx {
	t.Helper()
	tx, err := pool.BeginTx(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tx.Rollback(context.Background()) })
	return tx
}

// read asks for one value.
func read[T any](t testing.TB, db querier, sql string, args ...any) T {
	t.Helper()
	var v T
	if err := db.QueryRow(t.Context(), sql, args...).Scan(&v); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return v
}

type querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// run executes a statement.
func run(t testing.TB, db executor, sql string, args ...any) {
	t.Helper()
	if _, err := db.Exec(t.Context(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

type executor interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
}

// waitBlocked returns once n sessions of the database wait for a lock that the
// holder has.
func waitBlocked(t testing.TB, db *enginetest.Database, holder pgx.Tx, n int) {
	t.Helper()
	pid := holder.Conn().PgConn().PID()
	eventually(t, "a session waits for the holder's lock", func() bool {
		return n <= read[int](t, db.Pool, `SELECT count(*) FROM pg_stat_activity
			WHERE datname = current_database() AND $1::int = ANY (pg_blocking_pids(pid))`, int(pid))
	})
}

// finish commits or rolls back.
func finish(t testing.TB, tx pgx.Tx, commit bool) {
	t.Helper()
	end := tx.Rollback
	if commit {
		end = tx.Commit
	}
	if err := end(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// sweep makes one pass and returns how many incidents it opened.
func sweep(t testing.TB, e *engine.Engine) int {
	t.Helper()
	opened, err := enginetest.Sweep(t.Context(), e)
	if err != nil {
		t.Fatalf("sweep: %v", err)
	}
	return opened
}

// succeed records a success in a transaction of its own.
func succeed(ctx context.Context, pool *pgxpool.Pool, e *engine.Engine, k engine.Key, options ...engine.OutcomeOption) error {
	return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error { return e.Succeed(ctx, tx, k, options...) })
}

// requireStory ends the test unless the timeline reads exactly so.
func requireStory(t testing.TB, db *enginetest.Database, k engine.Key, want string) {
	t.Helper()
	kinds, err := db.Kinds(k)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(kinds, " "); got != want {
		t.Fatalf("the timeline of %s reads\n\t%s\nwant\n\t%s", k, got, want)
	}
}

// sqlState is the SQLSTATE of an error, empty for another one.
func sqlState(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code
	}
	return ""
}

// missing accepts each key, lets its deadline pass and opens its incident.
func missing(t testing.TB, db *enginetest.Database, e *engine.Engine, keys ...engine.Key) []engine.Incident {
	t.Helper()
	for _, k := range keys {
		accept(t, db, e, engine.Acceptance{Key: k})
	}
	db.Travel(31 * time.Minute)
	incidents := make([]engine.Incident, len(keys))
	for i, k := range keys {
		incidents[i] = db.RequireIncident(k, engine.CauseMissing)
	}
	return incidents
}

// fields are the arguments of a test's subject that a [*engine.FieldError] names.
func requireField(t testing.TB, err error, field string) {
	t.Helper()
	var wrong *engine.FieldError
	if !errors.As(err, &wrong) || wrong.Field != field {
		t.Errorf("error = %v, want a FieldError of %s", err, field)
	}
}
