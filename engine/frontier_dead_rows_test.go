package engine_test

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
)

// A report that runs for hours keeps the entries of all owed rows that were deleted since in the index. The first look
// reads them all; the next begins behind them, and still finds what becomes due.
func TestAnOldTransactionDoesNotMakeEveryLookDear(t *testing.T) {
	t.Parallel()
	const dead = 100_000
	db := enginetest.New(t)
	pool := newPool(t, db, "deadrows", 1) // one session, whose reads are counted
	e := engineOn(t, pool, engine.Config{})
	old, err := db.Pool.BeginTx(t.Context(), pgx.TxOptions{IsoLevel: pgx.RepeatableRead})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = old.Rollback(t.Context()) }()
	run(t, old, "SELECT FROM sendpromptly.owed") // takes the snapshot
	run(t, db.Pool, `INSERT INTO sendpromptly.owed (deadline, effect_id, project_id)
		SELECT sendpromptly.clock() - n * interval '5 ms', gen_random_uuid(), 1 FROM generate_series(1, $1::int) AS n`, dead)
	run(t, db.Pool, "DELETE FROM sendpromptly.owed")

	entries := func() int {
		run(t, pool, "SELECT pg_stat_force_next_flush()")
		return read[int](t, pool, "SELECT idx_tup_read::int FROM pg_stat_user_indexes WHERE indexrelname = 'owed_pkey'")
	}
	before := entries()
	sweep(t, e)
	first := entries() - before
	if first < dead {
		t.Errorf("the first look read %d entries of %d: this test shows nothing", first, dead)
	}
	acceptEvents(t, db, e, 3)
	before = entries()
	sweep(t, e)
	if next := entries() - before; next > 20 {
		t.Errorf("the next look read %d entries", next)
	}
	db.Travel(31 * time.Minute)
	before = entries()
	if opened, err := enginetest.Sweep(t.Context(), e); opened != 3 || err != nil {
		t.Errorf("Sweep = %d, %v; want the three that became due", opened, err)
	}
	if next := entries() - before; next > 50 {
		t.Errorf("opening three incidents read %d entries", next)
	}
	db.RequireSound()
}
