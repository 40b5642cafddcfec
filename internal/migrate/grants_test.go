package migrate_test

import (
	"context"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sendpromptly/sendpromptly/engine/enginetest"
)

// dropRoles removes the roles of a schema with a name of the test's own: they
// belong to the cluster.
func dropRoles(t *testing.T, db *enginetest.Database, schema string) {
	t.Helper()
	for _, role := range []string{schema + "_app", schema + "_engine", schema + "_operator"} {
		if _, err := db.Pool.Exec(context.WithoutCancel(t.Context()), "DROP OWNED BY "+role+"; DROP ROLE "+role); err != nil {
			t.Errorf("dropping %s: %v", role, err)
		}
	}
}

// rights are all that the roles of a schema may do.
const rights = `
	SELECT r.rolname || ' ' || g.what || ' ' || g.privilege_type FROM (
		SELECT p.oid::regprocedure::text AS what, a.* FROM pg_proc AS p, aclexplode(p.proacl) AS a WHERE p.pronamespace =
		$1::text::regnamespace
		UNION ALL SELECT c.oid::regclass::text, a.* FROM pg_class AS c, aclexplode(c.relacl) AS a WHERE c.relnamespace =
		$1::text::regnamespace
		UNION ALL SELECT c.oid::regclass || '.' || f.attname, a.* FROM pg_class AS c JOIN pg_attribute AS f ON f.attrelid = c.oid,
			aclexplode(f.attacl) AS a WHERE c.relnamespace = $1::text::regnamespace
		UNION ALL SELECT n.nspname::text, a.* FROM pg_namespace AS n, aclexplode(n.nspacl) AS a WHERE n.oid =
		$1::text::regnamespace) AS g
	JOIN pg_roles AS r ON r.oid = g.grantee WHERE r.rolname LIKE $1 || '\_%' ORDER BY 1`

func TestGrantsMakesMissingRolesAndTheirRights(t *testing.T) {
	t.Parallel()
	const schema = "granted_schema"
	db := enginetest.NewEmpty(t)
	b := read(t, schema)
	if _, err := b.Grants(t.Context(), db.Pool); err == nil {
		t.Error("granted before the schema was there")
	}
	up(t, b, db.Pool)
	t.Cleanup(func() { dropRoles(t, db, schema) })
	want := column(t, db.Pool, rights, schema)
	if len(want) < 100 {
		t.Errorf("only %d rights: %v", len(want), want)
	}
	dropRoles(t, db, schema)
	if got := column(t, db.Pool, rights, schema); len(got) != 0 {
		t.Fatalf("left are %v", got)
	}
	for range 2 {
		missing, err := b.Grants(t.Context(), db.Pool)
		if err != nil || len(missing) > 0 {
			t.Errorf("missing %v: %v", missing, err)
		}
		if got := column(t, db.Pool, rights, schema); !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	}
}

// Where roles may not be made, the schema is installed without, and Grants says which are missing.
func TestRolesThatMayNotBeMade(t *testing.T) {
	t.Parallel()
	const schema = "roleless_schema"
	db := enginetest.NewEmpty(t)
	exec(t, db.Pool, `CREATE ROLE roleless_owner NOLOGIN; GRANT CREATE ON DATABASE `+databaseName(t, db)+` TO roleless_owner`)
	t.Cleanup(func() {
		if _, err := db.Pool.Exec(
			context.WithoutCancel(t.Context()),
			"DROP OWNED BY roleless_owner CASCADE; DROP ROLE roleless_owner",
		); err != nil {
			t.Error(err)
		}
	})
	owner := db.Pool.Config()
	owner.ConnConfig.RuntimeParams["role"] = "roleless_owner"
	pool := connect(t, owner)
	b := read(t, schema)
	up(t, b, pool)
	missing, err := b.Grants(t.Context(), pool)
	if want := []string{schema + "_app", schema + "_engine", schema + "_operator"}; err != nil || !slices.Equal(missing, want) {
		t.Errorf("missing %v: %v", missing, err)
	}
}

func databaseName(t *testing.T, db *enginetest.Database) string {
	t.Helper()
	return column(t, db.Pool, `SELECT quote_ident(current_database())`)[0]
}

func connect(t *testing.T, cfg *pgxpool.Config) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}
