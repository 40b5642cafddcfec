package engine_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
)

// planRows is the size of the big tables; `make integration` asks for a million.
func planRows(t *testing.T) int {
	t.Helper()
	if text := os.Getenv("SENDPROMPTLY_PLAN_ROWS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	return 100_000
}

// fill writes n effects with an incident each, a twentieth of them owed and
// overdue instead, straight into the tables.
const fill = `
WITH made AS MATERIALIZED (
  SELECT n, sendpromptly.uuid7(clock_timestamp() - interval '60 days' + n * interval '1 ms') AS effect_id,
    clock_timestamp() - interval '60 days' + n * interval '1 ms' AS accepted_at
  FROM generate_series(1, %[1]d) AS n
), effects AS (
  INSERT INTO sendpromptly.effects (effect_id, accepted_at, deadline, project_id, event_id, provider, effect, event_type, subject,
    customer)
  SELECT effect_id, accepted_at, accepted_at + interval '30 minutes', 1, 'evt_' || n, sendpromptly.short('stripe'),
    sendpromptly.short('credit_grant'), sendpromptly.short('invoice.paid'), 'acct_' || n, 'cus_' || n FROM made
), owed AS (
  INSERT INTO sendpromptly.owed (deadline, effect_id, project_id) SELECT accepted_at + interval '30 minutes', effect_id, 1
    FROM made WHERE n %% 20 = 0
), entries AS (
  INSERT INTO sendpromptly.entries (effect_id, at, project_id, kind, state) SELECT effect_id, accepted_at, 1, 'failure', 'failed'
    FROM made WHERE n %% 20 <> 0
), terms AS (
  INSERT INTO sendpromptly.terms (project_id, term, effect_id) SELECT 1, 'acct_' || n, effect_id FROM made
), changes AS (
  INSERT INTO sendpromptly.changes (subject_id, at, project_id, kind, what) SELECT effect_id, accepted_at, 1, 'incident', 'opened'
    FROM made
), callbacks AS (
  INSERT INTO sendpromptly.callbacks (project_id, replay_id, incident_id, effect_id, state, next_at)
  SELECT 1, effect_id, effect_id, effect_id, CASE WHEN n %% 20 = 1 THEN 'waiting' ELSE 'accepted' END, accepted_at FROM made
    WHERE n %% 20 <> 0
), attempts AS (
  INSERT INTO sendpromptly.attempts (project_id, replay_id, incident_id, number, operator, requested_at)
  SELECT 1, effect_id, effect_id, 1, 'ada', accepted_at FROM made WHERE n %% 20 <> 0
)
INSERT INTO sendpromptly.incidents (incident_id, effect_id, project_id, state, cause, opened_at, due_at, replay_id, resolved_at)
SELECT effect_id, effect_id, 1, CASE WHEN n %% 20 = 1 THEN 'reprocessing'
	WHEN n %% 2 = 0 THEN 'failed' ELSE 'applied' END, 'failed', accepted_at,
  CASE WHEN n %% 20 = 1 THEN accepted_at END, effect_id,
  CASE WHEN n %% 2 = 1 AND n %% 20 <> 1 THEN accepted_at END
FROM made WHERE n %% 20 <> 0`

// TestPlansUseTheirIndex looks at the plan of every statement that the engine
// runs, inside of functions too, on big tables: no sequential scan of one of
// them, no more rows locked than the batch, and none read by the thousand. It must hold with statistics,
// without any, and where the planner may not hash, merge or materialise.
func TestPlansUseTheirIndex(t *testing.T) {
	t.Parallel()
	rows := planRows(t)
	db := enginetest.New(t)
	for _, table := range []string{"effects", "owed", "entries", "incidents", "callbacks", "attempts", "terms", "changes"} {
		if _, err := db.Pool.Exec(t.Context(), "ALTER TABLE sendpromptly."+table+" SET (autovacuum_enabled = off)"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := db.Pool.Exec(t.Context(), fmt.Sprintf(fill, rows)); err != nil {
		t.Fatal(err)
	}
	poor := []string{"SET enable_material = off", "SET enable_hashjoin = off", "SET enable_mergejoin = off"}
	generic := "SET plan_cache_mode = force_generic_plan"
	for _, variant := range []struct {
		name     string
		settings []string
	}{
		{"without statistics", nil},
		{"without statistics, generic plans", []string{generic}},
		{"without statistics, nested loops only", poor},
		{"analyzed", []string{"ANALYZE"}},
		{"analyzed, generic plans", []string{generic}},
		{"analyzed, nested loops only", poor},
	} {
		t.Run(variant.name, func(t *testing.T) { explainAll(t, db, variant.settings) })
	}
}

// explained is a pool whose server reports the plan of each statement.
func explained(t *testing.T, db *enginetest.Database, settings []string, report func(plan string)) *pgxpool.Pool {
	t.Helper()
	cfg, err := pgxpool.ParseConfig(db.URL)
	if err != nil {
		t.Fatal(err)
	}
	cfg.MaxConns = 1
	cfg.ConnConfig.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) {
		if _, plan, found := strings.Cut(n.Message, "plan:\n"); found {
			report(plan)
		}
	}
	cfg.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
		for _, setting := range append(
			settings,
			"LOAD 'auto_explain'",
			"SET auto_explain.log_nested_statements = on",
			"SET auto_explain.log_analyze = on",
			"SET auto_explain.log_timing = off",
			"SET auto_explain.log_format = json",
			"SET auto_explain.log_level = notice",
			"SET auto_explain.log_min_duration = 0",
		) {
			if _, err := conn.Exec(ctx, setting); err != nil {
				return err
			}
		}
		return nil
	}
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// plan is auto_explain's report, as far as it is judged.
type plan struct {
	Query string   `json:"Query Text"`
	Root  planNode `json:"Plan"`
}

type planNode struct {
	Type     string     `json:"Node Type"`
	Relation string     `json:"Relation Name"` // empty for bitmaps of an index, whose heap scan is the node above
	Rows     float64    `json:"Actual Rows"`
	Removed  float64    `json:"Rows Removed by Filter"` // read too, and thrown away
	Loops    float64    `json:"Actual Loops"`
	Plans    []planNode `json:"Plans"`
}

// small are tables that stay small however long a system runs.
var small = map[string]bool{
	"projects":          true,
	"seal_cursor":       true,
	"statistics_cursor": true,
	"statistics":        true,
	"recoveries":        true,
	"plans":             true,
	"plan_items":        true,
	"term_cursors":      true,
	"engines":           true,
	"migrations":        true,
	"deferred_failures": true,
	"callback_secrets":  true,
	"nonces":            true,
	"snapshots":         true,
	"chains":            true,
	"seals":             true,
}

func explainAll(t *testing.T, db *enginetest.Database, settings []string) {
	const batch = 50
	seen := 0
	doing := ""
	pool := explained(t, db, settings, func(text string) {
		var p plan
		if err := json.Unmarshal([]byte(text), &p); err != nil {
			t.Errorf("plan: %v", err)
			return
		}
		if strings.Contains(p.Query, "sendpromptly.") {
			seen++
			judge(t, doing, p, p.Root, batch)
		}
	})
	ctx := t.Context()
	tx, err := pool.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(ctx) }()
	for _, doing = range []string{
		"SELECT * FROM sendpromptly.work_waiting()",
		"SELECT * FROM sendpromptly.work_waiting(clock_timestamp())",
		"SELECT * FROM sendpromptly.look()",
		fmt.Sprintf(`SELECT * FROM sendpromptly.retain('default', clock_timestamp() - interval '36 days',
			'00000000-0000-0000-0000-000000000000', %d)`, batch),
		fmt.Sprintf(`SELECT count(*) FROM sendpromptly.retain_read('default', clock_timestamp() - interval '36 days',
			'00000000-0000-0000-0000-000000000000', %d)`, batch),
		fmt.Sprintf(`SELECT count(*) FROM sendpromptly.retain_forget('default', clock_timestamp() - interval '36 days', ARRAY(
			SELECT r.effect_id FROM sendpromptly.retain_read('default', clock_timestamp() - interval '36 days',
				'00000000-0000-0000-0000-000000000000', %d) AS r))`, batch),
		fmt.Sprintf("SELECT * FROM sendpromptly.open_overdue(%d, NULL)", batch),
		fmt.Sprintf("SELECT * FROM sendpromptly.open_overdue(%d, clock_timestamp())", batch),
		fmt.Sprintf("SELECT * FROM sendpromptly.open_overdue(%d, NULL, clock_timestamp() - interval '1 hour')", batch),
		fmt.Sprintf("SELECT * FROM sendpromptly.expire_attempts(%d)", batch),
		fmt.Sprintf("SELECT * FROM sendpromptly.fold_failures(%d)", batch),
		fmt.Sprintf("SELECT * FROM sendpromptly.claim_callbacks(%d)", batch),
		fmt.Sprintf("SELECT * FROM sendpromptly.seal_changed(%d)", batch),
		fmt.Sprintf("SELECT * FROM sendpromptly.index_terms(%d)", batch),
		fmt.Sprintf("SELECT * FROM sendpromptly.fold_statistics(%d)", batch),
		`SELECT sendpromptly.finish_plan_item(c.project_id, c.plan_id, c.incident_id, 'refused', NULL, NULL)
			FROM sendpromptly.claim_plan_item(16) AS c`,
		fmt.Sprintf("SELECT * FROM sendpromptly.purge(%d)", batch),
		"SELECT * FROM sendpromptly.accept('stripe', 'evt_new', 'credit_grant')",
		"SELECT * FROM sendpromptly.accept('stripe', 'evt_new', 'credit_grant')",
		"SELECT * FROM sendpromptly.accept('stripe', 'evt_new', 'credit_grant', source_event => 'evt_other')",
		"SELECT sendpromptly.duplicate_met(f.effect_id, f.deadline, 'default') FROM sendpromptly.lookup('stripe', 'evt_new') AS f",
		"SELECT * FROM sendpromptly.lookup('stripe', 'evt_new')",
		fmt.Sprintf(
			"SELECT * FROM sendpromptly.effect_page('default', 'ffffffff-ffff-ffff-ffff-ffffffffffff', %d, 'evt_other')",
			batch,
		),
		"SELECT sendpromptly.close(f.incident_id, 'ada', 'why') FROM sendpromptly.lookup('stripe', 'evt_4') AS f",
		"SELECT sendpromptly.reopen(f.incident_id, 'ada', 'why') FROM sendpromptly.lookup('stripe', 'evt_4') AS f",
		"SELECT * FROM sendpromptly.accept_many('[{\"provider\":\"stripe\",\"event_id\":\"evt_newer\",\"effect\":\"x\"}]')",
		"SELECT * FROM sendpromptly.begin_apply('stripe', 'evt_new', 'credit_grant')",
		"SELECT * FROM sendpromptly.succeed('stripe', 'evt_new', 'credit_grant')",
		"SELECT * FROM sendpromptly.succeed('stripe', 'evt_200', NULL)",
		"SELECT * FROM sendpromptly.succeed('stripe', 'evt_2', 'credit_grant')",
		"SELECT * FROM sendpromptly.fail('stripe', 'evt_4', 'credit_grant')",
		"SELECT * FROM sendpromptly.fail('stripe', 'evt_20', 'credit_grant')",
		"SELECT sendpromptly.opened_by_failure(f.effect_id, 'default') FROM sendpromptly.lookup('stripe', 'evt_20') AS f",
		"SELECT sendpromptly.told_incidents(ARRAY[1], ARRAY[f.effect_id]) FROM sendpromptly.lookup('stripe', 'evt_20') AS f",
	} {
		if _, err := tx.Exec(ctx, doing); err != nil {
			t.Fatalf("%s: %v", doing, err)
		}
	}
	_ = tx.Rollback(ctx)
	explainReads(t, pool, &doing, batch)
	if seen < 60 {
		t.Errorf("only %d plans were seen: auto_explain does not report", seen)
	}
}

// explainReads runs the lists of the Go API, prepared as the app runs them.
func explainReads(t *testing.T, pool *pgxpool.Pool, doing *string, batch int) {
	t.Helper()
	e, err := engine.New(t.Context(), pool, engine.Config{})
	if err != nil {
		t.Fatal(err)
	}
	first, err := e.Incidents(t.Context(), engine.IncidentFilter{Open: true, Limit: batch})
	if err != nil || first.Next == "" {
		t.Fatalf("the first page: %d incidents, %v", len(first.Incidents), err)
	}
	for range 6 { // after five runs a prepared statement may become generic
		for name, filter := range map[string]engine.IncidentFilter{
			"all": {}, "open": {Open: true}, "applied": {State: engine.StateApplied}, "next page": {Open: true, Before: first.Next},
			"term":     {Term: "acct_7"},
			"subject":  {Subject: "acct_7"},
			"event":    {Term: "evt_7"},
			"text":     {Text: "acct_7"},
			"version":  {Version: ""},
			"since":    {OpenedAfter: time.Now().Add(-61 * 24 * time.Hour)},
			"until":    {OpenedBefore: time.Now(), State: engine.StateApplied},
			"cause":    {Cause: engine.CauseFailed, Open: true},
			"provider": {Provider: "stripe"},
		} {
			*doing = "Incidents " + name
			filter.Limit = batch
			page, err := e.Incidents(t.Context(), filter)
			if err != nil || len(page.Incidents) == 0 {
				t.Fatalf("%s: %d incidents, %v", name, len(page.Incidents), err)
			}
		}
		*doing = "one effect"
		incident, err := enginetest.IncidentOf(t.Context(), e, engine.Key{Provider: "stripe", EventID: "evt_7", Effect: "credit_grant"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.Find(t.Context(), incident.Key); err != nil {
			t.Fatal(err)
		}
		if _, err := e.Timeline(t.Context(), incident.EffectID, 0); err != nil {
			t.Fatal(err)
		}
		if _, err := e.Incident(t.Context(), incident.ID); err != nil {
			t.Fatal(err)
		}
	}
	*doing = "Changes"
	for range e.Changes(t.Context(), "") {
		break
	}
}

func judge(t *testing.T, doing string, p plan, n planNode, batch int) {
	t.Helper()
	if n.Type == "Seq Scan" && !small[n.Relation] && n.Relation != "" {
		t.Errorf("%s\nscans %s as a whole in:\n%s", doing, n.Relation, strings.TrimSpace(p.Query))
	}
	// Of callbacks, the index that claiming walks holds only those not yet answered.
	if touched := (n.Rows + n.Removed) * n.Loops; n.Relation != "" && n.Relation != "callbacks" && !small[n.Relation] &&
		touched > float64(20*batch) {
		t.Errorf("%s\nreads %.0f rows of %s, the batch is %d:\n%s", doing, touched, n.Relation, batch, strings.TrimSpace(p.Query))
	}
	if n.Type == "LockRows" && n.Rows*n.Loops > float64(batch) {
		t.Errorf("%s\nlocks %.0f rows, the batch is %d:\n%s", doing, n.Rows*n.Loops, batch, strings.TrimSpace(p.Query))
	}
	for _, sub := range n.Plans {
		judge(t, doing, p, sub, batch)
	}
}
