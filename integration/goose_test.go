package integration

import (
	"database/sql"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // goose works on database/sql
	"github.com/pressly/goose/v3"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
	"github.com/sendpromptly/sendpromptly/internal/migrate"
)

// gooseUp lets goose apply the files of a folder, and returns the numbers of those that it applied.
func gooseUp(t *testing.T, db *enginetest.Database, dir string) []int64 {
	t.Helper()
	pool, err := sql.Open("pgx", db.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = pool.Close() }()
	provider, err := goose.NewProvider(goose.DialectPostgres, pool, os.DirFS(dir))
	if err != nil {
		t.Fatal(err)
	}
	results, err := provider.Up(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var numbers []int64
	for _, r := range results {
		numbers = append(numbers, r.Source.Version)
	}
	return numbers
}

// requireCurrent ends the test unless the engine starts and migrators find nothing to do.
func requireCurrent(t *testing.T, db *enginetest.Database) {
	t.Helper()
	db.Engine(engine.Config{})
	done, err := migrate.Up(t.Context(), db.Pool)
	if err != nil || len(done) > 0 {
		t.Fatalf("migrate up installed %v: %v", done, err)
	}
	all, err := migrate.Status(t.Context(), db.Pool)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range all {
		if m.Pending() {
			t.Errorf("%s is pending", m)
		}
	}
}

func TestGooseAppliesTheFiles(t *testing.T) {
	db, dir := enginetest.NewEmpty(t), t.TempDir()
	if _, err := migrate.WriteFiles(dir, 0); err != nil {
		t.Fatal(err)
	}
	if got := gooseUp(t, db, dir); !slices.Equal(got, []int64{1, 2}) {
		t.Errorf("applied %v", got)
	}
	requireCurrent(t, db)
	db.RequireSound()
}

// A team keeps its files and adds those of the next release: the set of functions
// has a new number, and takes the place of the one that an older file installed.
func TestGooseAppliesTheFilesOfTheNextRelease(t *testing.T) {
	db, dir := enginetest.NewEmpty(t), t.TempDir()
	if _, err := migrate.WriteFiles(dir, 0); err != nil {
		t.Fatal(err)
	}
	set := read(t, filepath.Join(dir, "00002_functions.sql"))
	// What was released before had another argument and one function more.
	older := replace(t, set, "FUNCTION sendpromptly.count_view(project_id integer, jti uuid)",
		"FUNCTION sendpromptly.count_view(project_id integer, jti uuid, often integer DEFAULT 1)")
	older = replace(t, older, "CREATE OR REPLACE FUNCTION sendpromptly.short(",
		"CREATE OR REPLACE FUNCTION sendpromptly.of_old() RETURNS integer LANGUAGE sql AS 'SELECT 1';\n"+
			"CREATE OR REPLACE FUNCTION sendpromptly.short(")
	older = replace(t, replace(t, older, "count_view:", "count_view:0"), "'{", "'{of_old:0,")
	write(t, filepath.Join(dir, "00002_functions.sql"), older)
	if got := gooseUp(t, db, dir); !slices.Equal(got, []int64{1, 2}) {
		t.Errorf("applied %v", got)
	}
	write(t, filepath.Join(dir, "00003_later.sql"), read(t, "testdata/goose/00003_later.sql"))
	next := replace(t, set, "VALUES (2, 'functions'", "VALUES (4, 'functions'")
	write(t, filepath.Join(dir, "00004_functions.sql"), replace(t, next, "m.version > 2 ", "m.version > 4 "))
	if got := gooseUp(t, db, dir); !slices.Equal(got, []int64{3, 4}) {
		t.Errorf("applied %v", got)
	}
	requireCurrent(t, db)
	var functions string
	err := db.Pool.QueryRow(t.Context(), `SELECT string_agg(p.oid::regprocedure::text, ' ') FROM pg_proc AS p
		WHERE p.pronamespace = 'sendpromptly'::regnamespace AND p.proname IN ('count_view', 'of_old')`).Scan(&functions)
	if err != nil || functions != "sendpromptly.count_view(integer,uuid)" {
		t.Errorf("left are %s: %v", functions, err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func replace(t *testing.T, text, from, to string) string {
	t.Helper()
	if !strings.Contains(text, from) {
		t.Fatalf("the file does not hold %q", from)
	}
	return strings.ReplaceAll(text, from, to)
}
