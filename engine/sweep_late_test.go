package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
)

// A receipt whose transaction was held open past its own deadline is overdue at
// birth. An engine that has swept meanwhile could not see it, so it is held once,
// for min(timeout, 60 s) from when it was first seen, and opened after that
// unless an outcome came. The deadline itself never moves. It catches an
// incident opened on a worker that had no time at all, and a hold that never ends.
func TestAReceiptThatCommitsLateIsHeldOnce(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		timeout, hold time.Duration
		outcome       bool
	}{
		"a short timeout is the hold":    {30 * time.Second, 30 * time.Second, false},
		"a long timeout is held 60 s":    {2 * time.Hour, time.Minute, false},
		"an outcome comes while it held": {2 * time.Hour, time.Minute, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := enginetest.New(t)
			e := db.Engine(engine.Config{})
			k := key("evt_late")
			tx := open(t, db.Pool, pgx.TxOptions{})
			receipt, err := e.Accept(t.Context(), tx, engine.Acceptance{Key: k, Timeout: test.timeout})
			if err != nil {
				t.Fatal(err)
			}
			db.Travel(test.timeout + time.Hour)
			sweep(t, e) // a complete pass that cannot see it
			db.Travel(time.Hour)
			finish(t, tx, true)

			if opened := sweep(t, e); opened != 0 {
				t.Fatal("the incident opened although no pass could have seen the receipt")
			}
			hold := read[time.Duration](t, db.Pool, `SELECT hold_until - sendpromptly.clock() FROM sendpromptly.owed`)
			if hold > test.hold || hold < test.hold-10*time.Second {
				t.Errorf("it is held for %s, want %s", hold, test.hold)
			}
			if opened := sweep(t, e); opened != 0 {
				t.Fatal("the incident opened during the hold")
			}
			if test.outcome {
				if err := succeed(t.Context(), db.Pool, e, k); err != nil {
					t.Fatal(err)
				}
			}
			db.Travel(test.hold)
			if opened, want := sweep(t, e), map[bool]int{false: 1, true: 0}[test.outcome]; opened != want {
				t.Errorf("%d incidents opened after the hold, want %d", opened, want)
			}
			if test.outcome {
				db.RequireNoIncident(k)
			} else if i := db.RequireIncident(k, engine.CauseMissing); !i.Deadline.Equal(receipt.Deadline) {
				t.Errorf("the deadline moved from %s to %s", receipt.Deadline, i.Deadline)
			}
			db.RequireSound()
		})
	}
}

// What an engine could have seen in time, and what passed while none ran, opens
// at once: the hold is for invisible rows only. It catches a sweep that holds
// every overdue row, which would delay each incident by a minute.
func TestOnlyWhatNoPassCouldSeeIsHeld(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	e := db.Engine(engine.Config{})
	seen, late := key("evt_seen"), key("evt_late")
	accept(t, db, e, engine.Acceptance{Key: seen})
	sweep(t, e) // sees it: not yet due
	db.Travel(31 * time.Minute)
	if opened := sweep(t, e); opened != 1 {
		t.Errorf("an effect that was visible in time opened %d incidents, want 1 at once", opened)
	}

	tx := open(t, db.Pool, pgx.TxOptions{})
	if _, err := e.Accept(t.Context(), tx, engine.Acceptance{Key: late}); err != nil {
		t.Fatal(err)
	}
	db.Travel(31 * time.Minute)
	sweep(t, e)
	finish(t, tx, true)
	if opened := sweep(t, db.Engine(engine.Config{})); opened != 1 {
		t.Errorf("the first pass after a start opened %d incidents, want 1", opened)
	}
	db.RequireSound()
}

// A row that a worker held locked over its deadline is held once too, and a
// second sweep of another engine keeps to the hold.
func TestARowLockedOverItsDeadlineIsHeldOnce(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	e, other := db.Engine(engine.Config{}), db.Engine(engine.Config{})
	k := key("evt_1")
	accept(t, db, e, engine.Acceptance{Key: k})
	tx := open(t, db.Pool, pgx.TxOptions{})
	if err := e.Succeed(t.Context(), tx, k); err != nil {
		t.Fatal(err)
	}
	db.Travel(31 * time.Minute)
	if opened := sweep(t, e); opened != 0 {
		t.Error("an incident opened beside an uncommitted success")
	}
	db.Travel(time.Second)
	sweep(t, e) // the pass before started after the deadline
	finish(t, tx, false)
	if opened := sweep(t, e) + sweep(t, other) + sweep(t, e); opened != 0 {
		t.Error("its incident opened without a hold")
	}
	db.Travel(time.Minute)
	if opened := sweep(t, e); opened != 1 {
		t.Errorf("%d incidents opened after the hold, want 1", opened)
	}
	db.RequireSound()
}

// A second receipt of the same key waits for the first one's transaction: after
// its commit it is a duplicate that changed nothing, after its rollback it is
// the receipt. It catches a duplicate that answers before it can know.
func TestAConcurrentDuplicateWaitsForTheFirst(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	e := db.Engine(engine.Config{})
	forms := map[string]func(tx pgx.Tx, a engine.Acceptance) (engine.Receipt, error){
		"accept": func(tx pgx.Tx, a engine.Acceptance) (engine.Receipt, error) { return e.Accept(t.Context(), tx, a) },
		"list": func(tx pgx.Tx, a engine.Acceptance) (engine.Receipt, error) {
			list, err := e.AcceptMany(t.Context(), tx, []engine.Acceptance{a})
			if err != nil {
				return engine.Receipt{}, err
			}
			return list[0], nil
		},
	}
	for name, form := range forms {
		for _, commit := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s commit %v", name, commit), func(t *testing.T) {
				k := key("evt_" + name + map[bool]string{true: "_commit", false: "_rollback"}[commit])
				first := open(t, db.Pool, pgx.TxOptions{})
				original, err := e.Accept(t.Context(), first, engine.Acceptance{Key: k, Subject: "acct_1"})
				if err != nil || original.Duplicate {
					t.Fatalf("%+v, %v", original, err)
				}
				var second engine.Receipt
				ended := start(func() error {
					return pgx.BeginFunc(t.Context(), db.Pool, func(tx pgx.Tx) (err error) {
						second, err = form(tx, engine.Acceptance{Key: k, Subject: "acct_2", Timeout: time.Hour})
						return err
					})
				})
				waitBlocked(t, db, first, 1)
				finish(t, first, commit)
				if err := receive(t, "the second receipt", ended); err != nil {
					t.Fatal(err)
				}
				if second.Duplicate != commit || commit != (second.EffectID == original.EffectID) ||
					commit != second.Deadline.Equal(original.Deadline) {
					t.Errorf("%s, commit %v: second = %+v, first %+v", name, commit, second, original)
				}
				requireStory(t, db, k, map[bool]string{true: "receipt→awaiting mismatch", false: "receipt→awaiting"}[commit])
			})
		}
	}
	if owed := read[int](t, db.Pool, `SELECT count(*) FROM sendpromptly.owed`); owed != 4 {
		t.Errorf("%d effects are owed, want 4", owed)
	}
	db.RequireSound()
}

// contents is every table of the schema, row by row.
func contents(t testing.TB, db *enginetest.Database) map[string]string {
	t.Helper()
	all := map[string]string{}
	names := read[[]string](t, db.Pool, `SELECT array_agg(tablename::text) FROM pg_tables WHERE schemaname = 'sendpromptly'`)
	for _, name := range names {
		all[name] = read[string](
			t,
			db.Pool,
			`SELECT coalesce(string_agg(t::text, E'\n' ORDER BY t::text), '') FROM sendpromptly.`+name+` AS t`,
		)
	}
	return all
}

// A caller's transaction that rolls back leaves every table as it was, whatever
// it called: new receipts, duplicates, a list, outcomes of awaiting, open and
// closed effects. It catches anything written outside of the caller's transaction.
func TestARollbackLeavesNoTrace(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	run(t, db.Pool, `UPDATE sendpromptly.projects SET snapshots = true, repair_url = 'https://shop.example/repair'`)
	e := db.Engine(engine.Config{SecretKey: testSecretKey, AdoptUnknown: true})
	isMissing, asked, closed := key("evt_missing"), key("evt_asked"), key("evt_closed")
	found := missing(t, db, e, isMissing, asked, closed)
	if _, err := e.Reprocess(t.Context(), found[1].ID, "ada"); err != nil {
		t.Fatal(err)
	}
	if err := e.CloseIncident(t.Context(), found[2].ID, "ada", "refunded"); err != nil {
		t.Fatal(err)
	}
	awaiting := key("evt_awaiting")
	accept(t, db, e, engine.Acceptance{Key: awaiting, Subject: "acct_1"})
	before := contents(t, db)

	tx := open(t, db.Pool, pgx.TxOptions{})
	fresh := engine.Acceptance{
		Key:     key("evt_new"),
		Subject: "acct_1",
		Objects: []string{"in_1"},
		Payload: json.RawMessage(`{"a":1}`),
	}
	if _, err := e.Accept(t.Context(), tx, fresh); err != nil {
		t.Fatal(err)
	}
	if _, err := e.AcceptMany(
		t.Context(),
		tx,
		[]engine.Acceptance{fresh, {Key: key("evt_other")}, {Key: awaiting, Subject: "acct_2"}},
	); err != nil {
		t.Fatal(err)
	}
	for _, k := range []engine.Key{fresh.Key, awaiting, isMissing, asked, closed, key("evt_adopted")} {
		if err := e.Succeed(t.Context(), tx, k); err != nil {
			t.Fatal(err)
		}
	}
	during := read[int](t, tx, `SELECT count(*) FROM sendpromptly.snapshots`)
	finish(t, tx, false)
	if during != 1 {
		t.Errorf("%d snapshots inside the transaction, want 1: the test writes less than it thinks", during)
	}
	for table, rows := range contents(t, db) {
		if rows != before[table] {
			t.Errorf("%s changed:\n%s\nwas\n%s", table, rows, before[table])
		}
	}
	if err := e.Apply(
		t.Context(),
		awaiting,
		func(context.Context, pgx.Tx) error { return engine.WillRetry(errNoAccount) },
	); !errors.Is(
		err,
		errNoAccount,
	) {
		t.Errorf("error = %v", err)
	}
	after := contents(t, db)
	for table, rows := range after {
		if rows != before[table] {
			t.Errorf("an Apply that will be repeated changed %s", table)
		}
	}
	db.RequireSound()
}

// A caller that gives up waiting for another one's receipt leaves nothing behind
// either, and the other one is not disturbed.
func TestACancelledWaitForADuplicateChangesNothing(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	e := db.Engine(engine.Config{})
	k := key("evt_1")
	first := open(t, db.Pool, pgx.TxOptions{})
	if _, err := e.Accept(t.Context(), first, engine.Acceptance{Key: k}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := start(func() error {
		return pgx.BeginFunc(ctx, db.Pool, func(tx pgx.Tx) error {
			_, err := e.Accept(ctx, tx, engine.Acceptance{Key: k})
			return err
		})
	})
	waitBlocked(t, db, first, 1)
	cancel()
	if err := receive(t, "the impatient caller ends", ended); err == nil || !strings.Contains(err.Error(), "cancel") {
		t.Errorf("error = %v", err)
	}
	finish(t, first, true)
	requireStory(t, db, k, "receipt→awaiting")
	db.RequireSound()
}
