package engine_test

import (
	"slices"
	"testing"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
)

// Whoever looks waits for nobody: not for a worker that holds the effect, nor for a signal that holds its arbiter.
func TestLookupWaitsForNobody(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	e := db.Engine(engine.Config{})
	accept(t, db, e, engine.Acceptance{Key: key("evt_1")})
	accept(t, db, e, engine.Acceptance{Key: engine.Key{Provider: "stripe", EventID: "evt_1", Effect: "access_unlock"}})
	tx, err := db.Pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, held := range []string{
		"SELECT * FROM sendpromptly.effects FOR UPDATE", "SELECT sendpromptly.succeed('stripe', 'evt_1', 'credit_grant')",
	} {
		if _, err := tx.Exec(t.Context(), held); err != nil {
			t.Fatal(err)
		}
	}
	lookup := func(args string) []string {
		exec(t, db.Pool, "SET lock_timeout = '1ms'")
		return column(
			t,
			db.Pool,
			`SELECT concat_ws(' ', l.state, l.effect_id IS NULL, l.deadline IS NULL, l.incident_id IS NULL)
				FROM sendpromptly.lookup(`+args+") AS l",
		)
	}
	for args, want := range map[string]string{
		"'stripe', 'evt_1', 'credit_grant'": "awaiting f f t",
		"'stripe', 'evt_1'":                 "ambiguous t t t",
		"NULL, 'evt_9'":                     "unknown t t t",
		"'stripe', 'evt_1', project => 'b'": "unknown t t t",
	} {
		if got := lookup(args); !slices.Equal(got, []string{want}) {
			t.Errorf("lookup(%s): %v, want %s", args, got, want)
		}
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	exec(t, db.Pool, "SELECT sendpromptly.fail('stripe', 'evt_1', 'access_unlock')")
	for args, want := range map[string]string{
		"'stripe', 'evt_1', 'credit_grant'":  "applied f f t",
		"'stripe', 'evt_1', 'access_unlock'": "failed f f f",
	} {
		if got := lookup(args); !slices.Equal(got, []string{want}) {
			t.Errorf("lookup(%s): %v, want %s", args, got, want)
		}
	}
}

// A success that was not recorded takes the effect with it.
func TestMustSucceedRaisesUnlessApplied(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	e := db.Engine(engine.Config{})
	accept(t, db, e, engine.Acceptance{Key: key("evt_1")})
	accept(t, db, e, engine.Acceptance{Key: key("evt_closed")})
	exec(t, db.Pool, "SELECT sendpromptly.fail('stripe', 'evt_closed')")
	exec(t, db.Pool, "SELECT sendpromptly.close(i.incident_id, 'ada', 'refunded') FROM sendpromptly.incidents AS i")
	for args, want := range map[string]string{
		"'stripe', 'evt_1', 'credit_grant'":      "",
		"'stripe', 'evt_1'":                      "",
		"'stripe', 'evt_closed', 'credit_grant'": "",
		"'stripe', 'evt_9', 'credit_grant'":      "SP007",
	} {
		_, err := db.Pool.Exec(t.Context(), "SELECT * FROM sendpromptly.must_succeed("+args+")")
		if got := code(err); got != want {
			t.Errorf("must_succeed(%s): %v, want code %q", args, err, want)
		}
	}
	db.RequireApplied(key("evt_1"))
	db.RequireApplied(key("evt_closed"))
	db.RequireSound()
}
