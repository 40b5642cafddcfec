package migrate_test

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/sendpromptly/sendpromptly/engine/enginetest"
	"github.com/sendpromptly/sendpromptly/internal/migrate"
	"github.com/sendpromptly/sendpromptly/sql/functions"
)

func TestTheSetIsNumberedAfterTheMigrations(t *testing.T) {
	t.Parallel()
	all, err := migrate.All()
	if err != nil {
		t.Fatal(err)
	}
	for i := 1; i < len(all); i++ {
		if all[i].Version <= all[i-1].Version {
			t.Errorf("%s comes after %s", all[i], all[i-1])
		}
	}
	if last := all[len(all)-1]; last.Version != functions.Number || last.Name != "functions" {
		t.Errorf("the last step is %s", last)
	}
}

// The set is installed without looking into the bodies, because they name each other.
func TestEveryBodyIsValid(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	definitions := column(
		t,
		db.Pool,
		`SELECT pg_get_functiondef(p.oid) FROM pg_proc AS p WHERE p.pronamespace = 'sendpromptly'::regnamespace`,
	)
	for _, definition := range definitions { // CREATE OR REPLACE, which checks
		if _, err := db.Pool.Exec(t.Context(), definition); err != nil {
			t.Errorf("%v in:\n%s", err, definition)
		}
	}
}

// Where a function is defined has one answer, and its head is recorded.
func TestEachFunctionIsDefinedOnce(t *testing.T) {
	t.Parallel()
	text := read(t, "sendpromptly").Functions()
	seen := map[string]bool{}
	for _, found := range regexp.MustCompile(`(?i)CREATE\s+(?:OR REPLACE `+
		`)?FUNCTION\s+sendpromptly\.(\w+)`).FindAllStringSubmatch(text, -1) {
		if seen[found[1]] {
			t.Errorf("%s is defined twice", found[1])
		}
		seen[found[1]] = true
	}
	db := enginetest.New(t)
	heads := column(
		t,
		db.Pool,
		`SELECT split_part(f, ':', 1) FROM sendpromptly.migrations AS m, unnest(m.functions) AS f ORDER BY 1`,
	)
	if got := slices.Sorted(maps.Keys(seen)); !slices.Equal(got, heads) {
		t.Errorf("defined are %v, recorded %v", got, heads)
	}
	if len(seen) < 90 {
		t.Errorf("only %d functions", len(seen))
	}
}

// Two schemas in one database share neither functions nor roles.
func TestTheSchemaMayHaveAnotherName(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	other := read(t, "other_schema")
	up(t, other, db.Pool)
	t.Cleanup(func() { dropRoles(t, db, "other_schema") })
	got := column(t, db.Pool, `
		SELECT p.proname::text FROM pg_proc AS p WHERE p.pronamespace = 'other_schema'::regnamespace AND replace(p.prosrc,
		'sendpromptly.entry.v1', '') LIKE '%sendpromptly%'
		UNION ALL SELECT r.rolname FROM pg_class AS c, aclexplode(c.relacl) AS a JOIN pg_roles AS r ON r.oid = a.grantee
		WHERE c.relnamespace = 'other_schema'::regnamespace AND r.rolname LIKE 'sendpromptly%'`)
	if len(got) > 0 {
		t.Errorf("name the default schema: %v", got)
	}
	for _, call := range []string{
		`SELECT effect_id::text FROM other_schema.accept('stripe', 'evt_1', 'credit_grant')`,
		`SELECT state FROM other_schema.succeed('stripe', 'evt_1')`,
		`SELECT encode(s.hash, 'hex') FROM other_schema.effects AS e, other_schema.seal(e.project_id, e.effect_id) AS s`,
	} {
		if got := column(t, db.Pool, call); len(got) != 1 {
			t.Errorf("%s: %v", call, got)
		}
	}
	if got := column(t, db.Pool, `SELECT count(*)::text FROM sendpromptly.effects`); !slices.Equal(got, []string{"0"}) {
		t.Errorf("effects in the default schema: %v", got)
	}
	if text := other.Functions(); !strings.Contains(text, "'sendpromptly.entry.v1'") {
		t.Error("what the chain hashes is named after the schema")
	}
}
