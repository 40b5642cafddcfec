package engine_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
	"github.com/sendpromptly/sendpromptly/internal/store/archive"
	"github.com/sendpromptly/sendpromptly/internal/store/projects"
	"github.com/sendpromptly/sendpromptly/internal/store/rooms"
)

const day = 24 * time.Hour

// retention sets how long the default project keeps what is settled.
func retention(t *testing.T, db *enginetest.Database, keep time.Duration) {
	t.Helper()
	s, err := rooms.Open(db.Pool, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Projects.Set(t.Context(), "default", projects.Settings{Retention: &keep}, nil, "ada"); err != nil {
		t.Fatal(err)
	}
}

func retain(t *testing.T, e *engine.Engine, want int) {
	t.Helper()
	if gone, err := enginetest.Retain(t.Context(), e); err != nil || gone != want {
		t.Fatalf("%d effects went, %v; want %d", gone, err, want)
	}
}

// settled leaves one applied, one repaired and one closed effect behind, with a row in every table that may have one.
func settled(t *testing.T, db *enginetest.Database, e *engine.Engine, prefix string) []engine.Key {
	t.Helper()
	keys := []engine.Key{key(prefix + "_applied"), key(prefix + "_repaired"), key(prefix + "_closed")}
	for _, k := range keys {
		accept(
			t,
			db,
			e,
			engine.Acceptance{Key: k, Subject: "Acct_" + k.EventID, Customer: "cus_1", Objects: []string{"in_1", "in_1", "pi_1"}},
		)
	}
	applied(t, db, e, keys[0])
	for i, k := range keys[1:] {
		if err := e.Fail(t.Context(), k, errors.New("the ledger did not answer")); err != nil {
			t.Fatal(err)
		}
		incident, err := enginetest.IncidentOf(t.Context(), e, k)
		if err != nil {
			t.Fatal(err)
		}
		if i == 1 {
			if err := e.CloseIncident(t.Context(), incident.ID, "ada", "refunded"); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if _, err := e.Reprocess(t.Context(), incident.ID, "ada"); err != nil {
			t.Fatal(err)
		}
		if _, err := enginetest.Deliver(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		db.RequireApplied(k)
	}
	for range 2 {
		index(t, e)
	}
	if _, err := enginetest.Seal(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	return keys
}

func applied(t *testing.T, db *enginetest.Database, e *engine.Engine, k engine.Key) {
	t.Helper()
	if err := succeed(t.Context(), db.Pool, e, k); err != nil {
		t.Fatal(err)
	}
}

// repairing is an engine whose callbacks come back to it.
func repairing(t *testing.T, db *enginetest.Database) *engine.Engine {
	t.Helper()
	e := db.Engine(engine.Config{AllowNetworks: loopback})
	server := httptest.NewServer(e.RepairHandler(func(context.Context, pgx.Tx, engine.Repair) error { return nil }))
	t.Cleanup(server.Close)
	repairAt(t, db, server)
	return e
}

// leftBehind lists the rows of every table that has to do with effects. What has rules of its own: statistics, which
// name nobody, and the plans that operators made.
func leftBehind(t *testing.T, db *enginetest.Database) []string {
	t.Helper()
	tables := column(t, db.Pool, `SELECT DISTINCT c.relname::text FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
		WHERE c.relnamespace = 'sendpromptly'::regnamespace AND c.relkind = 'r'
			AND a.attname IN ('effect_id', 'incident_id', 'replay_id', 'subject_id')
		  AND c.relname NOT IN ('term_cursors', 'recoveries', 'plan_items') ORDER BY 1`)
	if len(tables) < 12 {
		t.Fatalf("only %v have to do with effects", tables)
	}
	var rows []string
	for _, table := range tables {
		rows = append(
			rows,
			column(t, db.Pool, fmt.Sprintf("SELECT '%s: ' || to_json(r)::text FROM sendpromptly.%s AS r", table, table))...)
	}
	return rows
}

// What was settled long enough ago leaves no row in any table.
func TestSettledEffectsLeaveWithAllTheirRows(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	e := repairing(t, db)
	settled(t, db, e, "evt")
	retain(t, e, 0) // off until it is turned on
	retention(t, db, 40*day)
	db.Travel(40*day - time.Minute)
	retain(t, e, 0)
	if _, err := enginetest.Purge(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	db.Travel(2 * time.Minute)
	retain(t, e, 0) // an engine has just been here
	db.Travel(time.Hour)
	retain(t, e, 3)
	for _, row := range leftBehind(t, db) {
		t.Errorf("left behind: %s", row)
	}
	db.RequireSound()
	if again := accept(t, db, e, engine.Acceptance{Key: key("evt_applied")}); again.Duplicate {
		t.Error("a key that left is still known")
	}
}

// What waits, what is open and what was touched within the time stays whole, with its chain.
func TestRetentionLeavesTheUnsettledAndTheRecentAlone(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	e := repairing(t, db)
	for _, event := range []string{
		"evt_awaiting", "evt_failed", "evt_missing", "evt_reopened", "evt_late", "evt_touched", "evt_proven",
	} {
		accept(t, db, e, engine.Acceptance{Key: key(event), Timeout: 30 * day})
	}
	if err := e.Fail(t.Context(), key("evt_failed"), nil); err != nil {
		t.Fatal(err)
	}
	applied(t, db, e, key("evt_touched"))
	if err := e.Fail(t.Context(), key("evt_proven"), nil); err != nil {
		t.Fatal(err)
	}
	applied(t, db, e, key("evt_proven"))
	exec(
		t,
		db.Pool,
		`SELECT sendpromptly.issue_proof(i.incident_id, 'https://pay.example.com', NULL, '1 day', 'ada')
			FROM sendpromptly.incidents AS i
		JOIN sendpromptly.effects AS e USING (effect_id) WHERE e.event_id = 'evt_proven'`,
	)
	gone := settled(t, db, e, "evt_old")
	exec(
		t,
		db.Pool,
		`UPDATE sendpromptly.owed SET deadline = deadline + interval '1 year'
			WHERE effect_id = (SELECT effect_id FROM sendpromptly.effects WHERE event_id = 'evt_awaiting')`,
	)
	exec(t, db.Pool, "UPDATE sendpromptly.effects SET deadline = deadline + interval '1 year' WHERE event_id = 'evt_awaiting'")
	db.Travel(31 * day)
	db.RequireIncident(key("evt_missing"), engine.CauseMissing)
	applied(t, db, e, key("evt_late")) // applied, but 31 days after its receipt
	young := settled(t, db, e, "evt_young")
	db.Travel(15 * day)
	if !accept(t, db, e, engine.Acceptance{Key: key("evt_touched")}).Duplicate {
		t.Fatal("not recognised")
	}
	if _, err := enginetest.Seal(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	retention(t, db, 35*day)
	retain(t, e, len(gone))
	for _, k := range young {
		if !accept(t, db, e, engine.Acceptance{Key: k}).Duplicate {
			t.Errorf("%s: a redelivery within the window was taken for a new event", k.EventID)
		}
	}
	for event, want := range map[string]engine.State{
		"evt_awaiting": engine.StateAwaiting, "evt_failed": engine.StateFailed, "evt_missing": engine.StateMissing,
		"evt_reopened": engine.StateMissing,
		"evt_late":     engine.StateApplied,
		"evt_touched":  engine.StateApplied,
		"evt_proven":   engine.StateApplied,
	} {
		db.RequireState(key(event), want)
	}
	db.RequireSound()
}

// A bound within the providers' window is refused wherever it comes from.
func TestNothingLeavesWithin35Days(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	s, err := rooms.Open(db.Pool, "")
	if err != nil {
		t.Fatal(err)
	}
	short := 35*day - time.Second
	var field *engine.FieldError
	if _, err := s.Projects.Set(
		t.Context(),
		"default",
		projects.Settings{Retention: &short},
		nil,
		"ada",
	); !errors.As(err, &field) ||
		field.Field != "retention" {
		t.Errorf("as a setting: %v", err)
	}
	if _, err := s.Archive.Retain(
		t.Context(),
		archive.RetainOptions{Project: "default", OlderThan: short},
	); !errors.As(err, &field) ||
		field.Field != "older_than" {
		t.Errorf("in Go: %v", err)
	}
	_, err = db.Pool.Exec(t.Context(), "SELECT sendpromptly.retain('default', now() - interval '34 days', gen_random_uuid(), 10)")
	if code(err) != "SP004" {
		t.Errorf("in SQL: %v", err)
	}
	_, err = db.Pool.Exec(t.Context(), "UPDATE sendpromptly.projects SET retention = '34 days'")
	if code(err) != "23514" {
		t.Errorf("past everything: %v", err)
	}
}
