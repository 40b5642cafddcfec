package engine_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
)

// lastEntry is the kind and the note of an effect's newest entry.
func lastEntry(t *testing.T, db *enginetest.Database, effect engine.EffectID) string {
	t.Helper()
	return column(t, db.Pool, `SELECT n.kind || coalesce(': ' || n.note, '') FROM sendpromptly.entries AS n
		WHERE n.effect_id = $1 ORDER BY n.entry_id DESC LIMIT 1`, string(effect))[0]
}

// A second receipt that says something else is worth an operator's look, also where it comes in a list.
func TestADuplicateSaysWhatDiffers(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	const first = `subject => 'acct_1', merchant => 'a.example', amount => 4900, currency => 'USD', source_event => 'evt_first'`
	for i, test := range []struct{ second, list, want string }{
		{
			first, `"subject": "acct_1", "merchant": "a.example", "amount": 4900, "currency": "usd", "source_event": "evt_first"`,
			"duplicate",
		},
		{`subject => NULL`, `"subject": null`, "duplicate"},
		{`subject => 'acct_2'`, `"subject": "acct_2"`, "mismatch: subject differs from the first receipt"},
		{`merchant => 'b.example'`, `"merchant": "b.example"`, "mismatch: merchant differs from the first receipt"},
		{`amount => 0`, `"amount": 0`, "mismatch: amount differs from the first receipt"},
		{`currency => 'eur'`, `"currency": "eur"`, "mismatch: currency differs from the first receipt"},
		{`source_event => 'evt_other'`, `"source_event": "evt_other"`, "duplicate: accepted again by source event evt_other"},
		{
			`amount => 1, source_event => 'evt_other'`, `"amount": 1, "source_event": "evt_other"`,
			"mismatch: amount differs from the first receipt, accepted again by source event evt_other",
		},
	} {
		t.Run(test.second, func(t *testing.T) {
			id := column(
				t,
				db.Pool,
				fmt.Sprintf(`SELECT effect_id::text FROM sendpromptly.accept('stripe', 'in_%d', 'credit_grant', %s)`, i, first),
			)[0]
			for _, second := range []string{
				fmt.Sprintf(`SELECT a.duplicate::text FROM sendpromptly.accept('stripe', 'in_%d', 'credit_grant', %s) AS a`, i, test.second),
				fmt.Sprintf(`SELECT a.duplicate::text
					FROM sendpromptly.accept_many('[{"provider": "stripe", "event_id": "in_%d", "effect": "credit_grant", %s}]') AS a`,
					i, test.list),
			} {
				if got := column(t, db.Pool, second); got[0] != "true" {
					t.Errorf("%s: duplicate is %v", second, got)
				}
				if got := lastEntry(t, db, engine.EffectID(id)); got != test.want {
					t.Errorf("%s: entered as %q, want %q", second, got, test.want)
				}
			}
		})
	}
	db.RequireSound()
}

// A second receipt of what an operator closed will not be acted on, so it is no plain duplicate.
func TestADuplicateOfAClosedEffectIsAMismatch(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	e := db.Engine(engine.Config{})
	k := key("evt_1")
	effect := accept(t, db, e, engine.Acceptance{Key: k}).EffectID
	exec(t, db.Pool, "SELECT sendpromptly.fail('stripe', 'evt_1')")
	exec(t, db.Pool, "SELECT sendpromptly.close(i.incident_id, 'ada', 'refunded') FROM sendpromptly.incidents AS i")
	if got := accept(t, db, e, engine.Acceptance{Key: k}); !got.Duplicate || got.State != engine.StateClosed {
		t.Errorf("receipt %+v", got)
	}
	if got := lastEntry(t, db, effect); got != "mismatch: the effect is closed" {
		t.Errorf("entered as %q", got)
	}
}

// However a receipt is recorded, it says what the key met.
func TestAReceiptSaysWhatStateItMet(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	e := db.Engine(engine.Config{})
	for _, test := range []struct {
		signal string
		want   engine.State
	}{
		{"SELECT 1", engine.StateAwaiting},
		{"SELECT sendpromptly.succeed('stripe', $1)", engine.StateApplied},
		{"SELECT sendpromptly.fail('stripe', $1)", engine.StateFailed},
	} {
		t.Run(string(test.want), func(t *testing.T) {
			k := key("evt_" + string(test.want))
			if first := accept(t, db, e, engine.Acceptance{Key: k}); first.Duplicate || first.State != engine.StateAwaiting {
				t.Errorf("the first receipt is %+v", first)
			}
			exec(t, db.Pool, strings.ReplaceAll(test.signal, "$1", "'"+k.EventID+"'"))
			err := pgx.BeginFunc(t.Context(), db.Pool, func(tx pgx.Tx) error {
				one, err := e.Accept(t.Context(), tx, engine.Acceptance{Key: k})
				if err != nil {
					return err
				}
				many, err := e.AcceptMany(t.Context(), tx, []engine.Acceptance{{Key: k}, {Key: key("evt_new_" + string(test.want))}})
				if err != nil {
					return err
				}
				batch := &pgx.Batch{}
				var queued engine.Receipt
				if err := e.QueueAccept(
					batch,
					engine.Acceptance{Key: k},
					func(r engine.Receipt) error { queued = r; return nil },
				); err != nil {
					return err
				}
				if err := tx.SendBatch(t.Context(), batch).Close(); err != nil {
					return err
				}
				for _, r := range []engine.Receipt{one, many[0], queued} {
					if !r.Duplicate || r.State != test.want {
						t.Errorf("receipt %+v, want a duplicate in state %s", r, test.want)
					}
				}
				if many[1].Duplicate || many[1].State != engine.StateAwaiting {
					t.Errorf("the new one is %+v", many[1])
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}

// The state is read after the wait for the first receipt, not before.
func TestADuplicateThatWaitedSaysTheStateOfNow(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	e := db.Engine(engine.Config{})
	k := key("evt_1")
	first, err := db.Pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Accept(t.Context(), first, engine.Acceptance{Key: k}); err != nil {
		t.Fatal(err)
	}
	second := make(chan engine.Receipt, 1)
	go func() { second <- accept(t, db, e, engine.Acceptance{Key: k}) }()
	const waiting = "SELECT pid::text FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
	for len(column(t, db.Pool, waiting)) == 0 {
	}
	if err := first.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := <-second; !got.Duplicate || got.State != engine.StateAwaiting {
		t.Errorf("receipt %+v, want a duplicate that awaits", got)
	}
}

// An effect is found by every event that told of it, by an index.
func TestAnEffectIsFoundByItsSourceEvents(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	e := db.Engine(engine.Config{})
	exec(t, db.Pool, "SELECT sendpromptly.accept('stripe', 'in_1', 'credit_grant', source_event => 'evt_First')")
	exec(
		t,
		db.Pool,
		"SELECT sendpromptly.accept('stripe', 'in_1', 'credit_grant', source_event => 'evt_Second', subject => 'acct_1')",
	)
	exec(t, db.Pool, "SELECT sendpromptly.accept('stripe', 'evt_2', 'credit_grant', source_event => 'evt_2')")
	exec(t, db.Pool, "SELECT sendpromptly.fail('stripe', 'in_1')")
	if _, err := enginetest.Index(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	for _, term := range []string{"in_1", "evt_First", "evt_first", "evt_Second"} {
		if got := column(
			t,
			db.Pool,
			`SELECT e.event_id FROM sendpromptly.effect_page('default', 'ffffffff-ffff-ffff-ffff-ffffffffffff', 10, $1) AS p
			JOIN sendpromptly.effects AS e USING (project_id, effect_id)`,
			term,
		); len(got) != 1 ||
			got[0] != "in_1" {
			t.Errorf("effects named %s: %v", term, got)
		}
		page, err := e.Incidents(t.Context(), engine.IncidentFilter{Term: term})
		if err != nil || len(page.Incidents) != 1 {
			t.Errorf("incidents named %s: %v, %v", term, page.Incidents, err)
		}
	}
	// The key's own id is not kept twice.
	if got := column(
		t,
		db.Pool,
		"SELECT coalesce(r.source_event, 'none') FROM sendpromptly.receipts AS r ORDER BY r.event_id",
	); got[0] != "none" ||
		got[1] != "evt_First" {
		t.Errorf("source events %v", got)
	}
	db.RequireSound()
}

// Zero is an amount, and no amount is none.
func TestAnAmountIsNullWhereItIsUnknown(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	exec(t, db.Pool, `SELECT sendpromptly.accept('stripe', 'none', 'x'), sendpromptly.accept('stripe', 'zero', 'x', amount => 0),
		sendpromptly.accept('stripe', 'zero_usd', 'x', amount => 0, currency => 'USD'),
			sendpromptly.accept('stripe', 'usd', 'x', currency => 'USD')`)
	exec(t, db.Pool, `SELECT sendpromptly.accept_many('[{"provider": "stripe", "event_id": "many_none", "effect": "x"},
		{"provider": "stripe", "event_id": "many_zero", "effect": "x", "amount": 0}]')`)
	got := column(
		t,
		db.Pool,
		`SELECT r.event_id || ' ' || coalesce(r.amount::text, 'null') || ' ' || coalesce(r.currency, 'null')
			FROM sendpromptly.receipts AS r ORDER BY 1`,
	)
	want := []string{"many_none null null", "many_zero 0 null", "none null null", "usd null USD", "zero 0 null", "zero_usd 0 USD"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("amounts %v, want %v", got, want)
	}
}
