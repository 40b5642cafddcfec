package engine_test

import (
	"testing"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
)

// A transaction of retention that meets something slow is ended by Postgres,
// locks and all, and a smaller one takes its place.
func TestASlowBatchOfRetentionIsEndedAndMadeSmaller(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	e := db.Engine(engine.Config{})
	acceptEvents(t, db, e, 100)
	exec(t, db.Pool, "SELECT sendpromptly.succeed('stripe', event_id) FROM sendpromptly.effects")
	retention(t, db, 35*day)
	db.Travel(36 * day)
	// Each effect takes a millisecond to judge, twice: the hundred of the first batch take longer than a statement may.
	exec(t, db.Pool, `CREATE OR REPLACE FUNCTION sendpromptly.proof_bearing(project_id integer, effect_id uuid) RETURNS boolean LANGUAGE plpgsql STABLE AS
		'BEGIN PERFORM pg_catalog.pg_sleep(0.001); RETURN false; END'`)
	retain(t, e, 100)
}
