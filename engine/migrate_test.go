package engine_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
	"github.com/sendpromptly/sendpromptly/internal/migrate"
	"github.com/sendpromptly/sendpromptly/internal/store/projects"
	"github.com/sendpromptly/sendpromptly/internal/store/rooms"
)

// Roles belong to the whole cluster, so migrators of different databases meet
// there; migrators of one database meet in its lock.
func TestSixMigratorsMayStartAtOnce(t *testing.T) {
	t.Parallel()
	one, others := enginetest.NewEmpty(
		t,
	), []*enginetest.Database{
		enginetest.NewEmpty(t),
		enginetest.NewEmpty(t),
		enginetest.NewEmpty(t),
	}
	var group sync.WaitGroup
	for _, db := range append(others, one, one, one) {
		group.Go(func() {
			if err := engine.Migrate(t.Context(), db.Pool); err != nil {
				t.Errorf("Migrate: %v", err)
			}
		})
	}
	group.Wait()
	for _, db := range append(others, one) {
		all, err := migrate.Status(t.Context(), db.Pool)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range all {
			if m.Pending() {
				t.Errorf("%s is pending", m)
			}
		}
		db.Engine(engine.Config{})
	}
	if done, err := migrate.Up(t.Context(), one.Pool); len(done) != 0 || err != nil {
		t.Errorf("again: %v, %v", done, err)
	}
}

func TestNewRefusesASchemaItCannotTrust(t *testing.T) {
	t.Parallel()
	empty := enginetest.NewEmpty(t)
	if _, err := engine.New(t.Context(), empty.Pool, engine.Config{}); err == nil || !strings.Contains(err.Error(),
		"spadmin migrate up") {
		t.Errorf("without a schema: %v", err)
	}
	db := enginetest.New(t)
	var field *engine.FieldError
	if _, err := engine.New(t.Context(), db.Pool, engine.Config{Project: "nobody"}); !errors.As(err, &field) ||
		field.Field != "Config.Project" {
		t.Errorf("unknown project: %v", err)
	}
	for name, cfg := range map[string]engine.Config{
		"Config.SweepInterval": {SweepInterval: -1},
		"Config.SecretKey":     {SecretKey: "short"},
	} {
		if _, err := engine.New(t.Context(), db.Pool, cfg); !errors.As(err, &field) || field.Field != name {
			t.Errorf("%s: %v", name, err)
		}
	}
	exec(t, db.Pool, "DELETE FROM sendpromptly.migrations WHERE version = (SELECT max(version) FROM sendpromptly.migrations)")
	if _, err := engine.New(t.Context(), db.Pool, engine.Config{}); err == nil || !strings.Contains(err.Error(),
		"this engine needs") {
		t.Errorf("older schema: %v", err)
	}
	exec(t, db.Pool, "INSERT INTO sendpromptly.migrations (version, name) VALUES (9999, 'from the future')")
	if _, err := engine.New(t.Context(), db.Pool, engine.Config{}); err != nil {
		t.Errorf("the next version's schema: %v", err)
	}
}

func exec(t *testing.T, pool *pgxpool.Pool, sql string, args ...any) {
	t.Helper()
	if _, err := pool.Exec(t.Context(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
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

// Small tables that every node of a distributed database would hold whole.
const referenceTables = `'projects', 'engines', 'migrations', 'seal_cursor', 'statistics_cursor', 'operators',
	'login_links', 'sessions', 'tokens'`

func TestTheSchemaKeepsItsRules(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	for rule, violations := range map[string]string{
		"every unique and primary key of a project's table holds project_id": `
			SELECT x.indexrelid::regclass::text FROM pg_index AS x JOIN pg_class AS c ON c.oid = x.indrelid
			WHERE c.relnamespace = 'sendpromptly'::regnamespace AND x.indisunique AND c.relname NOT IN (` + referenceTables + `)
			  AND NOT EXISTS (SELECT 1 FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attname = 'project_id'
			    AND a.attnum = ANY (x.indkey))`,
		"every table has a primary key": `
			SELECT c.relname::text FROM pg_class AS c WHERE c.relnamespace = 'sendpromptly'::regnamespace AND c.relkind = 'r'
			  AND NOT EXISTS (SELECT 1 FROM pg_index AS x WHERE x.indrelid = c.oid AND x.indisprimary)`,
		"no foreign keys and no triggers": `
			SELECT o.conname::text FROM pg_constraint AS o WHERE o.connamespace = 'sendpromptly'::regnamespace AND o.contype = 'f'
			UNION ALL SELECT g.tgname::text FROM pg_trigger AS g JOIN pg_class AS c ON c.oid = g.tgrelid
				WHERE c.relnamespace = 'sendpromptly'::regnamespace`,
		// Postgres aborts whoever updates a shared row just when an earlier update of it rolls back: docs/decisions/0009.
		"no row is locked in a shared mode": `
			SELECT p.proname::text FROM pg_proc AS p WHERE p.pronamespace = 'sendpromptly'::regnamespace
				AND p.prosrc ~* 'FOR\s+(KEY\s+)?SHARE'`,
		"one function a name": `
			SELECT p.proname::text FROM pg_proc AS p WHERE p.pronamespace = 'sendpromptly'::regnamespace
				GROUP BY p.proname HAVING count(*) > 1`,
		"PUBLIC may execute nothing": `
			SELECT p.proname::text FROM pg_proc AS p WHERE p.pronamespace = 'sendpromptly'::regnamespace
				AND has_function_privilege('public', p.oid, 'EXECUTE')`,
		"PUBLIC may read nothing": `
			SELECT c.relname::text FROM pg_class AS c WHERE c.relnamespace = 'sendpromptly'::regnamespace AND c.relkind = 'r'
				AND has_table_privilege('public', c.oid, 'SELECT')`,
		// A plan that was discouraged and taken all the same counts as so expensive that it would be compiled first, for 60 ms.
		"a step that discourages sequential scans does not compile its plans": `
			SELECT p.proname::text FROM pg_proc AS p WHERE p.pronamespace = 'sendpromptly'::regnamespace
				AND 'enable_seqscan=off' = ANY (p.proconfig)
			  AND NOT 'jit=off' = ANY (p.proconfig) AND p.prosrc ~ '_cursor|sendpromptly\.(engines|callback_secrets)\M'`,
		"what runs with its owner's rights has a fixed search_path": `
			SELECT p.proname::text FROM pg_proc AS p WHERE p.pronamespace = 'sendpromptly'::regnamespace AND p.prosecdef
			  AND NOT coalesce('search_path=pg_catalog, pg_temp' = ANY (p.proconfig), false)`,
	} {
		if found := column(t, db.Pool, violations); len(found) > 0 {
			t.Errorf("%s: %s", rule, strings.Join(found, ", "))
		}
	}
}

// The three roles have what they need and no more: each runs its own calls and
// is turned away from the others'.
func TestTheRolesHaveWhatTheyNeed(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	accept(t, db, db.Engine(engine.Config{}), engine.Acceptance{Key: key("evt_1")})
	const denied = "42501"
	for _, test := range []struct{ role, sql, code string }{
		{"sendpromptly_app", "SELECT * FROM sendpromptly.accept('stripe', 'evt_2', 'x')", ""},
		{"sendpromptly_app", "SELECT * FROM sendpromptly.begin_apply('stripe', 'evt_1', 'credit_grant')", ""},
		{"sendpromptly_app", "SELECT * FROM sendpromptly.succeed('stripe', 'evt_1')", ""},
		{"sendpromptly_app", "SELECT * FROM sendpromptly.fail('stripe', 'evt_2')", ""},
		{"sendpromptly_app", "SELECT * FROM sendpromptly.callback_secrets", denied},
		{"sendpromptly_app", "SELECT * FROM sendpromptly.effects", denied},
		{"sendpromptly_app", "DELETE FROM sendpromptly.owed", denied},
		{"sendpromptly_app", "SELECT * FROM sendpromptly.open_overdue(1, NULL)", denied},
		{"sendpromptly_app", "SELECT * FROM sendpromptly.reprocess(gen_random_uuid(), 'eve', '1 hour')", denied},
		{"sendpromptly_engine", "SELECT * FROM sendpromptly.open_overdue(10, NULL)", ""},
		{"sendpromptly_engine", "SELECT * FROM sendpromptly.callback_secrets", ""},
		{"sendpromptly_engine", "DELETE FROM sendpromptly.entries", denied},
		{"sendpromptly_engine", "UPDATE sendpromptly.projects SET retained_at = now()", ""},
		{"sendpromptly_engine", "UPDATE sendpromptly.projects SET retention = NULL", denied},
		{"sendpromptly_app", "SELECT * FROM sendpromptly.retain('default', now() - interval '40 days', gen_random_uuid(), 1)", denied},
		{
			"sendpromptly_operator", "SELECT * FROM sendpromptly.retain('default', now() - interval '40 days', gen_random_uuid(), 1)",
			denied,
		},
		{"sendpromptly_operator", "SELECT * FROM sendpromptly.incidents", ""},
		{"sendpromptly_operator", "SELECT * FROM sendpromptly.stop(gen_random_uuid(), 'ada')", ""},
		{"sendpromptly_operator", "SELECT * FROM sendpromptly.callback_secrets", denied},
		{"sendpromptly_operator", "SELECT * FROM sendpromptly.snapshots", denied},
		{"sendpromptly_operator", "SELECT * FROM sendpromptly.succeed('stripe', 'evt_1')", denied},
		{"sendpromptly_operator", "UPDATE sendpromptly.incidents SET state = 'closed'", denied},
		{"sendpromptly_operator", "SELECT * FROM sendpromptly.issue_proof(gen_random_uuid(), 'https://a', NULL, '1 day', 'ada')", ""},
		{"sendpromptly_operator", "SELECT * FROM sendpromptly.erase('default', 'cus_1', NULL, 'ada', 10)", ""},
		{"sendpromptly_operator", "UPDATE sendpromptly.proofs SET revoked_at = NULL", denied},
		{"sendpromptly_app", "SELECT * FROM sendpromptly.issue_proof(gen_random_uuid(), 'https://a', NULL, '1 day', 'eve')", denied},
		{"sendpromptly_app", "SELECT * FROM sendpromptly.erase('default', 'cus_1', NULL, 'eve', 10)", denied},
	} {
		err := pgx.BeginFunc(t.Context(), db.Pool, func(tx pgx.Tx) error {
			if _, err := tx.Exec(t.Context(), "SET LOCAL ROLE "+test.role); err != nil {
				return err
			}
			_, err := tx.Exec(t.Context(), test.sql)
			return err
		})
		if got := code(err); got != test.code {
			t.Errorf("%s: %s: %v, want code %q", test.role, test.sql, err, test.code)
		}
	}
}

// code is the SQLSTATE of an error, empty where there is none.
func code(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

// A test event that reaches a live endpoint is refused before it is watched;
// where either side has no mode, nothing is held against the other.
func TestAnEventOfTheOtherModeIsRefused(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	st, err := rooms.Open(db.Pool, "")
	if err != nil {
		t.Fatal(err)
	}
	live := "live"
	if _, _, err := st.Projects.Create(t.Context(), "billing", projects.Settings{Mode: &live}, nil, "ada"); err != nil {
		t.Fatal(err)
	}
	billing, open := db.Engine(engine.Config{Project: "billing"}), db.Engine(engine.Config{})
	for _, test := range []struct {
		e       *engine.Engine
		mode    string
		refused bool
	}{
		{billing, "live", false},
		{billing, "", false},
		{billing, "test", true},
		{billing, "Live", true},
		{open, "test", false},
		{open, "live", false},
	} {
		err := pgx.BeginFunc(t.Context(), db.Pool, func(tx pgx.Tx) error {
			_, err := test.e.Accept(t.Context(), tx, engine.Acceptance{Key: key("evt_" + test.mode), Mode: test.mode})
			return err
		})
		var field *engine.FieldError
		if refused := errors.As(err, &field) && field.Field == "Mode"; refused != test.refused || err != nil && !refused {
			t.Errorf("mode %q: %v", test.mode, err)
		}
	}
}

// A plan that must scan or sort although that is turned off counts as dear enough for JIT, which takes longer than the
// work. Only functions that look up single rows by their keys may leave JIT as it is.
func TestWhatTurnsPlansOffTurnsJITOff(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	got := column(t, db.Pool, `SELECT p.proname::text FROM pg_proc AS p WHERE p.pronamespace = 'sendpromptly'::regnamespace
		AND array_to_string(p.proconfig, ' ') LIKE '%enable_seqscan=off%' AND array_to_string(p.proconfig, ' ') NOT LIKE '%jit=off%'
			ORDER BY 1`)
	want := []string{
		"accept", "begin_apply", "begin_idempotent", "begin_repair", "close", "complete_callback", "duplicate_met",
		"fail", "find_effect", "finish_plan_item", "keep_answer", "lookup", "note", "note_broken_repair", "opened_by_failure",
		"reopen", "reprocess", "stop", "succeed", "try_now", "work_waiting",
	}
	if !slices.Equal(got, want) {
		t.Errorf("without SET jit = off are %v, want %v", got, want)
	}
}
