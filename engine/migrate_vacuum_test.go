package engine_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/sendpromptly/sendpromptly/engine/enginetest"
)

// still are the tables that stay small and change only when a person changes something.
var still = []string{"projects", "callback_secrets", "migrations", "audit", "alert_destinations"}

// How a table is vacuumed decides whether it stays fast for years, and nobody
// notices for months that it was forgotten: the head of 0002_tables.sql says
// which kind of table gets what.
func TestEveryTableThatChangesSaysHowItIsVacuumed(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	const tables = `SELECT c.relname || ' ' || coalesce(array_to_string(c.reloptions, ' '), '') FROM pg_class AS c
		WHERE c.relnamespace = 'sendpromptly'::regnamespace AND c.relkind = 'r' ORDER BY c.relname`
	for _, line := range column(t, db.Pool, tables) {
		name, options, _ := strings.Cut(line, " ")
		if slices.Contains(still, name) {
			continue
		}
		if !strings.Contains(options, "autovacuum_vacuum_scale_factor=") {
			t.Errorf("%s has the options %q: say in its migration when it is vacuumed", name, options)
		}
	}
}

// Rows that change in columns that no index holds stay in their page: the
// outcome of a payment, an incident's error, a chain's head.
func TestTheRowsThatChangeMostStayInTheirPage(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	indexed := column(t, db.Pool, `
		SELECT c.relname || '.' || a.attname FROM pg_index AS x JOIN pg_class AS c ON c.oid = x.indrelid
		JOIN pg_attribute AS a ON a.attrelid = c.oid AND (a.attnum = ANY (x.indkey)
		  OR pg_get_expr(x.indpred, x.indrelid) ~ ('\m' || a.attname || '\M'))
		WHERE c.relnamespace = 'sendpromptly'::regnamespace`)
	for _, changing := range []string{
		"effects.succeeded_at", "chains.seq", "chains.hash", "attempts.finished_at", "attempts.result", "owed.hold_until",
		"incidents.error_message", "incidents.revision", "engines.seen_at", "seal_cursor.seq", "term_cursors.effect_id",
		"callbacks.lease_token",
	} {
		if slices.Contains(indexed, changing) {
			t.Errorf("%s is in an index: every change of it leaves its page", changing)
		}
	}
}
