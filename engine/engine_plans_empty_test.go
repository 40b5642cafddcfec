package engine_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/engine/enginetest"
)

// A session that begins on empty tables plans its statements there and keeps the
// plans. They must still go to one row by its key when the tables have grown and
// nothing was analyzed: once, they went through everything by the primary key.
func TestPlansMadeOnEmptyTablesStayCheap(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	for _, table := range []string{"effects", "owed"} {
		if _, err := db.Pool.Exec(t.Context(), "ALTER TABLE sendpromptly."+table+" SET (autovacuum_enabled = off)"); err != nil {
			t.Fatal(err)
		}
	}
	conn, err := pgx.Connect(t.Context(), db.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	calls := []string{
		`SELECT sendpromptly.accept('stripe', 'evt_%d', 'credit_grant')`,
		`SELECT sendpromptly.accept('stripe', 'evt_%d', 'credit_grant')`, // a duplicate
		`SELECT sendpromptly.begin_apply('stripe', 'evt_%d', 'credit_grant')`,
		`SELECT sendpromptly.succeed('stripe', 'evt_%d', 'credit_grant')`,
		`SELECT sendpromptly.succeed('stripe', 'evt_%d', NULL)`, // again, and named by its event only
		`SELECT sendpromptly.fail('stripe', 'evt_%d', 'credit_grant')`,
	}
	for n := range 10 {
		for _, call := range calls {
			if _, err := conn.Exec(t.Context(), fmt.Sprintf(call, n)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := db.Pool.Exec(t.Context(), `SELECT sendpromptly.accept_many((SELECT json_agg(json_build_object(
		'provider', 'stripe', 'event_id', 'evt_' || n, 'effect', 'credit_grant'))
			FROM generate_series(1000, 11000) AS n))`); err != nil {
		t.Fatal(err)
	}
	for i, call := range calls {
		if pages := pagesRead(t, conn, fmt.Sprintf(call, 20_000)); pages > 100 {
			t.Errorf("call %d, %s, reads %d pages", i, call, pages)
		}
	}
}

// pagesRead runs one statement and returns how many pages it looked at.
func pagesRead(t *testing.T, conn *pgx.Conn, sql string) int {
	t.Helper()
	var report []byte
	if err := conn.QueryRow(t.Context(), "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) "+sql).Scan(&report); err != nil {
		t.Fatal(err)
	}
	var plans []struct {
		Plan struct {
			Hit  int `json:"Shared Hit Blocks"`
			Read int `json:"Shared Read Blocks"`
		} `json:"Plan"`
	}
	if err := json.Unmarshal(report, &plans); err != nil || len(plans) != 1 {
		t.Fatalf("%s: %v", report, err)
	}
	return plans[0].Plan.Hit + plans[0].Plan.Read
}
