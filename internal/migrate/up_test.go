package migrate_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
	"github.com/sendpromptly/sendpromptly/internal/migrate"
)

// read is this build, with its schema's name.
func read(t *testing.T, schema string) migrate.Build {
	t.Helper()
	b, err := migrate.ReadBuild(schema)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// column collects a query's only column.
func column(t *testing.T, pool *pgxpool.Pool, sql string, args ...any) []string {
	t.Helper()
	rows, err := pool.Query(t.Context(), sql, args...)
	if err != nil {
		t.Fatal(err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func exec(t *testing.T, pool *pgxpool.Pool, sql string) {
	t.Helper()
	if _, err := pool.Exec(t.Context(), sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// up installs and returns what was pending, by name.
func up(t *testing.T, b migrate.Build, pool *pgxpool.Pool) []string {
	t.Helper()
	done, err := b.Up(t.Context(), pool)
	if err != nil {
		t.Fatalf("up: %v", err)
	}
	var names []string
	for _, m := range done {
		names = append(names, m.String())
	}
	return names
}

// newer is the build of the next release: a migration more, a function less, one
// with another argument, one with another result, one with another body.
func newer(t *testing.T, b migrate.Build) migrate.Build {
	t.Helper()
	text := b.Functions()
	for _, change := range [][2]string{
		{
			"CREATE OR REPLACE FUNCTION sendpromptly.overdue_locked(started timestamptz, since timestamptz DEFAULT NULL)",
			"CREATE OR REPLACE FUNCTION sendpromptly.overdue_counted(started timestamptz, since timestamptz DEFAULT NULL)",
		},
		{
			"CREATE OR REPLACE FUNCTION sendpromptly.short(name text) RETURNS text",
			"CREATE OR REPLACE FUNCTION sendpromptly.short(name text, extra text DEFAULT NULL) RETURNS text",
		},
		{
			"CREATE OR REPLACE FUNCTION sendpromptly.rows_fault(code text) RETURNS boolean",
			"CREATE OR REPLACE FUNCTION sendpromptly.rows_fault(code text) RETURNS bool[]",
		},
		{"SELECT left(code, 2) IN ('P0', '22', '23', '54')", "SELECT ARRAY[left(code, 2) IN ('P0', '22', '23', '54')]"},
	} {
		text = strings.Replace(text, change[0], change[1], 1)
	}
	return b.Next(4, text, migrate.Migration{
		Version: 3,
		Name:    "more",
		SQL: `CREATE TABLE sendpromptly.more (id integer PRIMARY KEY); ALTER TABLE sendpromptly.effects ADD COLUMN more text;
			INSERT INTO sendpromptly.migrations (version, name) VALUES (3, 'more');`,
	})
}

// catalog is all that an installation could have changed, down to the version of each row.
func catalog(t *testing.T, pool *pgxpool.Pool) []string {
	t.Helper()
	return column(t, pool, `
		SELECT p.oid::regprocedure || ' ' || p.oid || ' ' || p.xmin || ' ' || coalesce(p.proacl::text, '') FROM pg_proc AS p
		WHERE p.pronamespace = 'sendpromptly'::regnamespace
		UNION ALL SELECT c.oid::regclass || ' ' || c.xmin || ' ' || coalesce(c.relacl::text, '') FROM pg_class AS c WHERE
		c.relnamespace = 'sendpromptly'::regnamespace AND c.relkind IN ('r', 'v')
		UNION ALL SELECT m.version || ' ' || m.xmin || ' ' || m.name FROM sendpromptly.migrations AS m ORDER BY 1`)
}

func TestAnOlderBuildChangesNothingInANewerDatabase(t *testing.T) {
	t.Parallel()
	old := read(t, "sendpromptly")
	for name, before := range map[string][]migrate.Build{"upgraded": {old, newer(t, old)}, "new": {newer(t, old)}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := enginetest.NewEmpty(t)
			for _, b := range before {
				up(t, b, db.Pool)
			}
			want := catalog(t, db.Pool)
			if done := up(t, old, db.Pool); len(done) != 0 {
				t.Errorf("the older build installed %v", done)
			}
			if got := catalog(t, db.Pool); !slices.Equal(got, want) {
				t.Errorf("the older build changed the database from\n%s\nto\n%s", strings.Join(want, "\n"),
					strings.Join(got, "\n"))
			}
			steps, err := old.Status(t.Context(), db.Pool)
			if err != nil {
				t.Fatal(err)
			}
			if last := steps[len(steps)-1]; last.Pending() || last.SupersededBy != 4 {
				t.Errorf("the older build says of its functions: %+v", last)
			}
		})
	}
}

func TestBuildsSideBySideEndWithTheNewerFunctions(t *testing.T) {
	t.Parallel()
	old := read(t, "sendpromptly")
	next := newer(t, old)
	for i, builds := range [][]migrate.Build{{old, next, old, next}, {next, old, next, old}} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			db := enginetest.NewEmpty(t)
			var group sync.WaitGroup
			for _, b := range builds {
				group.Go(func() { up(t, b, db.Pool) })
			}
			group.Wait()
			if done := up(t, next, db.Pool); len(done) != 0 {
				t.Errorf("%v was left to install", done)
			}
			names := column(
				t,
				db.Pool,
				`SELECT p.oid::regprocedure::text FROM pg_proc AS p WHERE p.pronamespace = 'sendpromptly'::regnamespace`,
			)
			for name, want := range map[string]bool{
				"sendpromptly.short(text,text)": true,
				"sendpromptly.short(text)":      false,
				"sendpromptly.overdue_counted(timestamp with time zone,timestamp with time zone)": true,
				"sendpromptly.overdue_locked(timestamp with time zone,timestamp with time zone)":  false,
				"sendpromptly.rows_fault(text)": true,
			} {
				if slices.Contains(names, name) != want {
					t.Errorf("%s: there is %t", name, !want)
				}
			}
		})
	}
}

// What a set leaves behind for calls in flight goes with the next one.
func TestOldFunctionsGoWithTheNextSet(t *testing.T) {
	t.Parallel()
	db := enginetest.NewEmpty(t)
	old := read(t, "sendpromptly")
	const left = `SELECT p.proname::text FROM pg_proc AS p WHERE p.pronamespace = to_regnamespace('sendpromptly_before') ORDER BY 1`
	for _, step := range []struct {
		build migrate.Build
		want  []string
	}{
		{old, nil},
		{newer(t, old), []string{"overdue_locked", "rows_fault", "short"}},
		{old.Next(5, newer(t, old).Functions()), nil},
	} {
		up(t, step.build, db.Pool)
		if got := column(t, db.Pool, left); !slices.Equal(got, step.want) {
			t.Errorf("left are %v, want %v", got, step.want)
		}
	}
}

// Functions that others added to the schema stay, and the roles keep what they need.
func TestANewSetLeavesOthersAlone(t *testing.T) {
	t.Parallel()
	db := enginetest.NewEmpty(t)
	old := read(t, "sendpromptly")
	up(t, old, db.Pool)
	exec(t, db.Pool, `CREATE FUNCTION sendpromptly.of_somebody_else() RETURNS integer LANGUAGE sql AS 'SELECT 7'`)
	if done := up(t, newer(t, old), db.Pool); !slices.Equal(done, []string{"00003_more", "00004_functions"}) {
		t.Errorf("installed %v", done)
	}
	if got := column(t, db.Pool, `SELECT sendpromptly.of_somebody_else()::text`); !slices.Equal(got, []string{"7"}) {
		t.Error(got)
	}
	for role, function := range map[string]string{"app": "accept", "engine": "open_overdue", "operator": "reprocess"} {
		if got := column(t, db.Pool, `SELECT has_function_privilege('sendpromptly_' || $1, p.oid, 'EXECUTE')::text FROM pg_proc AS p
			WHERE p.pronamespace = 'sendpromptly'::regnamespace AND p.proname = $2`, role, function); !slices.Equal(got,
			[]string{"true"}) {
			t.Errorf("%s may execute %s: %v", role, function, got)
		}
	}
}

// Apps go on while the functions are replaced under them.
func TestSignalsDoNotNoticeANewSet(t *testing.T) {
	t.Parallel()
	db := enginetest.NewEmpty(t)
	old := read(t, "sendpromptly")
	up(t, old, db.Pool)
	e := db.Engine(engine.Config{})
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var group sync.WaitGroup
	for worker := range 4 {
		group.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				k := engine.Key{Provider: "stripe", EventID: fmt.Sprintf("evt_%d_%d", worker, n), Effect: "credit_grant"}
				err := pgx.BeginFunc(t.Context(), db.Pool, func(tx pgx.Tx) error {
					if _, err := e.Accept(t.Context(), tx, engine.Acceptance{Key: k}); err != nil {
						return err
					}
					return e.Succeed(t.Context(), tx, k)
				})
				if err != nil {
					t.Errorf("%s: %v", k.EventID, err)
				}
			}
		})
	}
	text := old.Functions()
	for number := 3; number < 23; number++ {
		// Every body is another one, and accept and what it calls have an argument more.
		next := strings.ReplaceAll(text, "\nBEGIN\n", fmt.Sprintf("\nBEGIN -- %d\n", number))
		more := fmt.Sprintf(", more_%d text DEFAULT NULL", number)
		for _, last := range []string{
			"project text DEFAULT 'default'", "currency text, source_event text",
			"key_problem(provider text, event_id text, effect text",
		} {
			if !strings.Contains(next, last) {
				t.Fatalf("no function has %q", last)
			}
			next = strings.ReplaceAll(next, last, last+more)
		}
		up(t, old.Next(number, next), db.Pool)
	}
	stop()
	group.Wait()
}

// Whoever waits for another migrator holds no snapshot meanwhile, and ends with its context.
func TestAMigratorWaitsOutsideStatements(t *testing.T) {
	t.Parallel()
	db := enginetest.NewEmpty(t)
	tx, err := db.Pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(t.Context())) }()
	const lock = `SELECT pg_advisory_xact_lock(hashtextextended('sendpromptly.migrate', 0))`
	if _, err := tx.Exec(t.Context(), lock); err != nil {
		t.Fatal(err)
	}
	short, stop := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer stop()
	if _, err := migrate.Up(short, db.Pool); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("while another one works: %v", err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := migrate.Up(t.Context(), db.Pool)
		done <- err
	}()
	rollbacks := func() string {
		return column(t, db.Pool, `SELECT xact_rollback::text FROM pg_stat_database WHERE datname = current_database()`)[0]
	}
	for before := rollbacks(); rollbacks() == before; { // until it has tried, and ended the try
		waiting := column(
			t,
			db.Pool,
			`SELECT a.query FROM pg_stat_activity AS a WHERE a.datname = current_database() AND a.wait_event_type = 'Lock'`,
		)
		if len(waiting) > 0 {
			t.Fatalf("waits in %v", waiting)
		}
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// A table that somebody holds is asked for again.
func TestAMigratorTriesLockedTablesAgain(t *testing.T) {
	t.Parallel()
	db := enginetest.NewEmpty(t)
	old := read(t, "sendpromptly")
	up(t, old, db.Pool)
	tx, err := db.Pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(t.Context())) }()
	if _, err := tx.Exec(t.Context(), "LOCK TABLE sendpromptly.effects IN ACCESS SHARE MODE"); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := newer(t, old).WithLockTimeout("50ms").Up(t.Context(), db.Pool)
		done <- err
	}()
	// It was refused at least once when the rollback of its transaction is counted.
	for {
		got := column(t, db.Pool, `SELECT (xact_rollback > 0)::text FROM pg_stat_database WHERE datname = current_database()`)
		if got[0] == "true" {
			break
		}
		select {
		case err := <-done:
			t.Fatalf("ended while the table was held: %v", err)
		default:
		}
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}
