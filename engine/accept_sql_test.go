package engine_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sendpromptly/sendpromptly/engine/enginetest"
)

// The SQL function accept raises for a key or a timeout that nobody could watch,
// and for nothing else: SP001 or SP002, naming the argument. It catches another
// SQLSTATE, which apps in other languages could not tell from trouble.
func TestAcceptInSQLRaisesForTheKeyAndTheTimeoutOnly(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	for name, test := range map[string]struct{ args, code, argument string }{
		"no provider":             {`NULL, 'evt_1', 'credit_grant'`, "SP001", "provider"},
		"empty provider":          {`'', 'evt_1', 'credit_grant'`, "SP001", "provider"},
		"upper-case provider":     {`'Stripe', 'evt_1', 'credit_grant'`, "SP001", "provider"},
		"two-line provider":       {`E'stripe\nx', 'evt_1', 'credit_grant'`, "SP001", "provider"},
		"long provider":           {`repeat('x', 65), 'evt_1', 'credit_grant'`, "SP001", "provider"},
		"no event":                {`'stripe', NULL, 'credit_grant'`, "SP001", "event_id"},
		"empty event":             {`'stripe', '', 'credit_grant'`, "SP001", "event_id"},
		"10 kB event":             {`'stripe', repeat('x', 10000), 'credit_grant'`, "SP001", "event_id"},
		"256 characters of event": {`'stripe', repeat('é', 256), 'credit_grant'`, "SP001", "event_id"},
		"event with a space":      {`'stripe', 'evt 1', 'credit_grant'`, "SP001", "event_id"},
		"event with a line break": {`'stripe', E'evt_1\n', 'credit_grant'`, "SP001", "event_id"},
		"event with a control":    {`'stripe', E'evt\u0001', 'credit_grant'`, "SP001", "event_id"},
		"no effect":               {`'stripe', 'evt_1', NULL`, "SP001", "effect"},
		"empty effect":            {`'stripe', 'evt_1', ''`, "SP001", "effect"},
		"long effect":             {`'stripe', 'evt_1', repeat('x', 65)`, "SP001", "effect"},
		"no project":              {`'stripe', 'evt_1', 'credit_grant', project => NULL`, "SP001", "project"},
		"unknown project":         {`'stripe', 'evt_1', 'credit_grant', project => 'nobody'`, "SP001", "project"},
		"no time":                 {`'stripe', 'evt_1', 'credit_grant', timeout => '0'`, "SP002", "timeout"},
		"negative timeout":        {`'stripe', 'evt_1', 'credit_grant', timeout => '-1 second'`, "SP002", "timeout"},
		"short timeout":           {`'stripe', 'evt_1', 'credit_grant', timeout => '999 ms'`, "SP002", "timeout"},
		"long timeout":            {`'stripe', 'evt_1', 'credit_grant', timeout => '30 days 1 second'`, "SP002", "timeout"},
		"timeout of ages":         {`'stripe', 'evt_1', 'credit_grant', timeout => '178000000 years'`, "SP002", "timeout"},
	} {
		tx := open(t, db.Pool, pgx.TxOptions{})
		_, err := tx.Exec(t.Context(), `SELECT * FROM sendpromptly.accept(`+test.args+`)`)
		var pg *pgconn.PgError
		if !errors.As(err, &pg) || pg.Code != test.code || !strings.Contains(pg.Message, "argument "+test.argument+":") {
			t.Errorf("%s: error = %v, want %s naming %s", name, err, test.code, test.argument)
		}
		finish(t, tx, false)
	}
	if n := read[int](t, db.Pool, `SELECT count(*) FROM sendpromptly.effects`); n != 0 {
		t.Errorf("%d effects were accepted", n)
	}
}

// A list is refused whole, naming the first wrong receipt by its number and the
// argument, and has the same bounds as a single one.
func TestAListInSQLIsRefusedWhole(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	fine := `{"provider":"stripe","event_id":"evt_1","effect":"x"}`
	for second, want := range map[string]string{
		`{"event_id":"evt_2","effect":"x"}`:                                                  "SP001 receipt 2: argument provider:",
		`{"provider":"stripe","event_id":"a b","effect":"x"}`:                                "SP001 receipt 2: argument event_id:",
		`{"provider":"stripe","event_id":"argument timeout","effect":"x"}`:                   "SP001 receipt 2: argument event_id:",
		`{"provider":"stripe","event_id":"evt_2"}`:                                           "SP001 receipt 2: argument effect:",
		`{"provider":"stripe","event_id":"evt_2","effect":"x","timeout":"-1 second"}`:        "SP002 receipt 2: argument timeout:",
		`{"provider":"stripe","event_id":"evt_2","effect":"x","timeout":"31 days"}`:          "SP002 receipt 2: argument timeout:",
		`{"provider":"stripe","event_id":"evt_2","effect":"x","timeout":"170000000 years"}`:  "SP002 receipt 2: argument timeout:",
		`{"provider":"stripe","event_id":"evt_2","effect":"x","timeout":"-170000000 years"}`: "SP002 receipt 2: argument timeout:",
		`{"provider":"stripe","event_id":"evt_2","effect":"x"},
			{"provider":"stripe","event_id":"b b"}`: "SP001 receipt 3: argument event_id:",
	} {
		_, err := db.Pool.Exec(t.Context(), `SELECT * FROM sendpromptly.accept_many($1)`, "["+fine+","+second+"]")
		var pg *pgconn.PgError
		if !errors.As(err, &pg) || !strings.HasPrefix(pg.Code+" "+strings.TrimPrefix(pg.Message, "sendpromptly.accept_many: "), want) {
			t.Errorf("%s: error = %v, want %s", second, err, want)
		}
	}
	_, err := db.Pool.Exec(t.Context(), `SELECT * FROM sendpromptly.accept_many('[]', 'nobody')`)
	if sqlState(err) != "SP001" {
		t.Errorf("an unknown project: error = %v", err)
	}
	for _, nothing := range []string{"'[]'", "NULL"} {
		run(t, db.Pool, `SELECT * FROM sendpromptly.accept_many(`+nothing+`)`)
	}
	if n := read[int](t, db.Pool, `SELECT count(*) FROM sendpromptly.effects`); n != 0 {
		t.Errorf("%d effects were accepted", n)
	}
	db.Travel(time.Until(time.Date(time.Now().Year()+1, time.October, 20, 0, 0, 0, 0, time.UTC)))
	run(
		t,
		db.Pool,
		`SELECT * FROM sendpromptly.accept_many('[{"provider":"stripe","event_id":"evt_1","effect":"x","timeout":"1 month"}]')`,
	)
	if owedFor := read[time.Duration](
		t,
		db.Pool,
		`SELECT make_interval(secs => extract(epoch FROM deadline - accepted_at)::float8) FROM sendpromptly.effects`,
	); owedFor != 30*24*time.Hour {
		t.Errorf("a month is %s", owedFor)
	}
	db.RequireSound()
}

// Everything else that the caller may pass is kept, cut or left out, and the
// deadline always lies 1 second to 30 days ahead, however the interval is written.
func TestAcceptInSQLTakesWhateverElseIsPassed(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	// From here the next month has 31 days, and New York's clocks go back.
	db.Travel(time.Until(time.Date(time.Now().Year()+1, time.October, 20, 0, 0, 0, 0, time.UTC)))
	tx := open(t, db.Pool, pgx.TxOptions{})
	run(t, tx, `SET LOCAL timezone = 'America/New_York'`)
	for i, args := range []string{
		`event_type => repeat('é', 100000), subject => repeat('é', 100000), merchant => repeat('x', 100000),
			source_event => repeat('x', 100000), customer => repeat('x', 100000), version => repeat('x', 100000)`,
		`occurred_at => 'infinity'`, `occurred_at => '-infinity'`, `occurred_at => '4713-01-01 BC'`, `occurred_at => '294276-12-31'`,
		`occurred_at => '10000-01-01'`,
		`amount => -9223372036854775808, currency => repeat('x', 100000)`, `currency => ''`,
		`amount => 9223372036854775807, currency => '€€€€'`,
		`objects => ARRAY[NULL, '', 'in_1', repeat('x', 10000)]`, `objects => array_fill('x'::text, ARRAY[3, 3])`,
		`objects => array_fill('x'::text, ARRAY[100000])`, `objects => '{}'`,
		`snapshot => ''`, `snapshot => decode(repeat('00', 1000000), 'hex')`,
		`timeout => '1 second'`, `timeout => '30 days'`, `timeout => '720 hours'`, `timeout => '1 month'`,
		`timeout => '1 month -29 days -23:59:59'`, `timeout => '-1 month 30 days 1 second'`,
	} {
		event := "evt_" + strings.Repeat("é", 120) + string(rune('a'+i))
		run(t, tx, `SELECT sendpromptly.accept('stripe', $1, 'credit_grant', `+args+`)`, event)
		owedFor := read[time.Duration](t, tx, `SELECT make_interval(secs => extract(epoch FROM e.deadline - e.accepted_at)::float8)
			FROM sendpromptly.effects AS e WHERE e.event_id = $1`, event)
		if owedFor < time.Second || owedFor > 30*24*time.Hour {
			t.Errorf("%s: owed for %s", args, owedFor)
		}
	}
	finish(t, tx, true)
	if n := read[int](t, db.Pool, `SELECT count(*) FROM sendpromptly.receipts WHERE occurred_at IS NOT NULL`); n != 0 {
		t.Errorf("%d times that no reader could take were kept", n)
	}
	longest := read[int](
		t,
		db.Pool,
		`SELECT max(greatest(length(event_type), length(subject), length(merchant), length(source_event), length(customer),
			length(version), length(currency), cardinality(objects)))
		FROM sendpromptly.receipts`,
	)
	if longest != 255 {
		t.Errorf("the longest text has %d characters, want 255", longest)
	}
	db.RequireSound()
}

// The SQL functions succeed and fail never raise, whatever is passed: an outcome
// must not be what aborts the effect's transaction.
func TestOutcomesInSQLNeverRaise(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	run(
		t,
		db.Pool,
		`SELECT sendpromptly.accept(p, e, f) FROM (VALUES ('stripe', 'evt_two', 'credit_grant'), ('stripe', 'evt_two', 'access_unlock'),
		('stripe', 'evt_both', 'credit_grant'), ('shopify', 'evt_both', 'credit_grant'), ('stripe', 'evt_1', 'credit_grant'),
			('stripe', 'evt_2', 'credit_grant')) AS v(p, e, f)`,
	)
	for args, want := range map[string]string{
		`NULL, NULL`: "unknown", `NULL, NULL, NULL`: "unknown", `'', ''`: "unknown", `'', '', ''`: "unknown",
		`repeat('x', 1000000), repeat('é', 1000000), repeat('x', 1000000)`: "unknown",
		`'stripe', 'evt_none'`: "unknown", `'stripe', 'evt_1', 'other'`: "unknown", `'shopify', 'evt_1'`: "unknown",
		`'stripe', 'evt_1', project => NULL`:     "unknown",
		`'stripe', 'evt_1', project => 'nobody'`: "unknown",
		`E'a\nb', E'\u0001'`:                     "unknown",
		`'stripe', 'evt_two'`:                    "ambiguous",
		`NULL, 'evt_two'`:                        "ambiguous",
		`NULL, 'evt_both', 'credit_grant'`:       "ambiguous",
		`NULL, 'evt_both'`:                       "ambiguous",
	} {
		for _, function := range []string{"succeed", "fail"} {
			got := read[string](
				t,
				db.Pool,
				`SELECT state || ' ' || changed || ' ' || (effect_id IS NULL) FROM sendpromptly.`+function+`(`+args+`)`,
			)
			if got != want+" false true" {
				t.Errorf("%s(%s) = %s, want %s", function, args, got, want)
			}
		}
	}
	for statement, want := range map[string]string{
		`sendpromptly.fail('stripe', 'evt_1', error_code => repeat('é', 1000000), error_message => repeat('é', 1000000),
			replay_id => repeat('é', 1000000))`: "failed true",
		`sendpromptly.succeed(NULL, 'evt_2', replay_id => repeat('é', 1000000))`: "applied true",
	} {
		if got := read[string](t, db.Pool, `SELECT state || ' ' || changed FROM `+statement); got != want {
			t.Errorf("%s = %s, want %s", statement, got, want)
		}
	}
	if got := read[string](
		t,
		db.Pool,
		`SELECT concat_ws(' ', length(error_code), length(error_message), length(replay_id)) FROM sendpromptly.entries
			WHERE kind = 'failure'`,
	); got != "128 2000 64" {
		t.Errorf("kept %s characters", got)
	}
	db.RequireSound()
}
