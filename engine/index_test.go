package engine_test

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
)

// found says whether the search terms lead to an effect.
func found(t *testing.T, db *enginetest.Database, term string) bool {
	t.Helper()
	return len(column(t, db.Pool, "SELECT t.effect_id::text FROM sendpromptly.terms AS t WHERE t.term = $1", term)) > 0
}

func index(t *testing.T, e *engine.Engine) {
	t.Helper()
	if _, err := enginetest.Index(t.Context(), e); err != nil {
		t.Fatal(err)
	}
}

// A receipt whose transaction commits after younger ones were indexed lies
// behind them in the order of ids. The cursor may not have passed it.
func TestALateCommitIsStillIndexed(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	e := db.Engine(engine.Config{})
	late, err := db.Pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Accept(t.Context(), late, engine.Acceptance{Key: key("evt_late"), Customer: "Late@Example.com"}); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		accept(t, db, e, engine.Acceptance{Key: key("evt_early"), Customer: "early@example.com"})
		index(t, e)
	}
	if !found(t, db, "early@example.com") {
		t.Error("a running transaction holds all of the index up")
	}
	if err := late.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		index(t, e)
	}
	if !found(t, db, "late@example.com") {
		t.Error("the late receipt was skipped")
	}
}

// A report or a dump that runs for hours must not make the index step run as long: what it cannot be done with is left
// to the next look.
func TestTheIndexDoesNotSpinBehindALongTransaction(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	e := db.Engine(engine.Config{})
	old := open(t, db.Pool, pgx.TxOptions{})
	run(t, old, "SELECT pg_current_xact_id()")
	acceptEvents(t, db, e, 1500)
	run(t, db.Pool, "UPDATE sendpromptly.effects SET customer = 'cus_' || event_id")
	for range 2 {
		done := start(func() error { _, err := enginetest.Index(t.Context(), e); return err })
		if err := receive(t, "the index step ends", done); err != nil {
			t.Fatal(err)
		}
	}
	if n := read[int](t, db.Pool, "SELECT count(*) FROM sendpromptly.terms"); n != 1000 {
		t.Errorf("%d effects can be found already, want the newest 1000", n)
	}
	finish(t, old, false)
	eventually(t, "all effects are folded in", func() bool {
		index(t, e)
		return read[int](t, db.Pool, "SELECT count(*) FROM sendpromptly.terms") == 1500
	})
}

// The index step counts on it: a transaction that accepts has its id before the moment is read that its effects' ids
// begin with. Else a receipt could appear behind the cursor.
func TestAReceiptsTransactionHasItsIDBeforeTheClockIsRead(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	e := db.Engine(engine.Config{})
	run(t, db.Pool, `CREATE OR REPLACE FUNCTION sendpromptly.clock() RETURNS timestamptz LANGUAGE sql VOLATILE AS
		'SELECT CASE WHEN pg_catalog.pg_current_xact_id_if_assigned() IS NULL THEN ''2000-01-01Z''
			ELSE pg_catalog.clock_timestamp() END'`)
	accept(t, db, e, engine.Acceptance{Key: key("evt_one")})
	acceptEvents(t, db, e, 2)
	if n := read[int](t, db.Pool, "SELECT count(*) FROM sendpromptly.effects WHERE accepted_at > '2001-01-01Z'"); n != 3 {
		t.Errorf("of 3 receipts %d have a moment from after their transaction's id", n)
	}
}

// A batch that does not hold all that is new goes on where it ended.
func TestTheIndexFollowsInBatches(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	e := db.Engine(engine.Config{})
	acceptEvents(t, db, e, 2300)
	exec(t, db.Pool, "UPDATE sendpromptly.effects SET customer = 'cus_' || event_id")
	eventually(t, "all effects are folded in", func() bool { // transactions of other tests hold it up
		index(t, e)
		return read[int](t, db.Pool, "SELECT count(*) FROM sendpromptly.terms") == 2300
	})
}
