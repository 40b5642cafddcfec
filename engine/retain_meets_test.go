package engine_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
)

// Retention waits for nobody, and nobody loses an outcome to it: an effect that a worker holds stays.
func TestRetentionPassesByWhatSomebodyHolds(t *testing.T) {
	t.Parallel()
	for name, hold := range map[string]string{
		"the effect":     "SELECT 1 FROM sendpromptly.effects WHERE event_id = 'evt_closed' FOR NO KEY UPDATE",
		"the incident":   "SELECT 1 FROM sendpromptly.incidents WHERE state = 'closed' FOR NO KEY UPDATE",
		"a late success": "SELECT sendpromptly.succeed('stripe', 'evt_closed')",
		"its proof": `SELECT sendpromptly.issue_proof(i.incident_id, 'https://pay.example.com', NULL, '1 day', 'ada')
			FROM sendpromptly.incidents AS i WHERE i.state = 'closed'`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := enginetest.New(t)
			e := repairing(t, db)
			settled(t, db, e, "evt")
			retention(t, db, 35*day)
			db.Travel(36 * day)
			tx, err := db.Pool.Begin(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = tx.Rollback(context.WithoutCancel(t.Context())) }()
			if _, err := tx.Exec(t.Context(), hold); err != nil {
				t.Fatal(err)
			}
			retain(t, e, 2)
			if err := tx.Commit(t.Context()); err != nil {
				t.Fatal(err)
			}
			if effect, err := e.Find(t.Context(), key("evt_closed")); err != nil || !strings.Contains("closed applied",
				string(effect.State)) {
				t.Errorf("%s, %v", effect.State, err)
			}
			db.RequireSound()
		})
	}
}

// What is just being said of an effect keeps it, whether it has an incident or not: nobody sees yet what was written.
func TestASignalInFlightKeepsItsEffect(t *testing.T) {
	t.Parallel()
	for name, signal := range map[string]string{
		"success":    "SELECT sendpromptly.succeed($1, $2, $3)",
		"failure":    "SELECT sendpromptly.fail($1, $2, $3)",
		"redelivery": "SELECT sendpromptly.accept($1, $2, $3)",
		"redelivered list": `SELECT sendpromptly.accept_many(json_build_array(json_build_object('provider', $1::text, 'event_id',
			$2::text, 'effect', $3::text)))`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := enginetest.New(t)
			e := repairing(t, db)
			keys := settled(t, db, e, "evt")
			retention(t, db, 40*day)
			db.Travel(41 * day)
			var saying []pgx.Tx
			for _, k := range keys {
				tx := open(t, db.Pool, pgx.TxOptions{})
				run(t, tx, signal, k.Provider, k.EventID, k.Effect)
				saying = append(saying, tx)
			}
			retain(t, e, 0)
			for _, tx := range saying {
				finish(t, tx, false)
			}
			db.Travel(2 * time.Hour)
			retain(t, e, len(keys))
		})
	}
}

// However old, a redelivery does not wait for whoever is applying the effect, who may wait for what it holds itself.
func TestAnOldRedeliveryDoesNotWaitForWhoAppliesIt(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	e := db.Engine(engine.Config{})
	k := incidents(t, db, e, "evt", 1)[0].Key
	db.Travel(40 * day)
	worker := open(t, db.Pool, pgx.TxOptions{})
	run(t, worker, "SELECT FROM sendpromptly.begin_apply($1, $2, $3)", k.Provider, k.EventID, k.Effect)
	redelivery := open(t, db.Pool, pgx.TxOptions{})
	run(t, redelivery, "SET LOCAL lock_timeout = '5s'")
	if receipt, err := e.Accept(t.Context(), redelivery, engine.Acceptance{Key: k}); err != nil || !receipt.Duplicate {
		t.Errorf("%+v, %v", receipt, err)
	}
	if receipts, err := e.AcceptMany(t.Context(), redelivery, []engine.Acceptance{{Key: k}}); err != nil || !receipts[0].Duplicate {
		t.Errorf("%+v, %v", receipts, err)
	}
}

// An archive leaves alone what somebody else is removing: it seals nothing that is gone a moment later.
func TestAnArchiveSealsNothingThatOthersRemove(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	e := db.Engine(engine.Config{})
	k := key("evt_1")
	accept(t, db, e, engine.Acceptance{Key: k})
	applied(t, db, e, k)
	accept(t, db, e, engine.Acceptance{Key: k}) // an entry, so that there is something to seal
	retention(t, db, 35*day)
	db.Travel(36 * day)
	const step = `SELECT FROM sendpromptly.%s('default', sendpromptly.clock() - interval '35 days',
		'00000000-0000-0000-0000-000000000000', 10)`
	other := open(t, db.Pool, pgx.TxOptions{})
	run(t, other, fmt.Sprintf(step, "retain"))
	if n := read[int](
		t,
		db.Pool,
		strings.Replace(fmt.Sprintf(step, "retain_read"), "SELECT FROM", "SELECT count(document)::int FROM", 1),
	); n != 0 {
		t.Errorf("%d effects were read that others remove", n)
	}
	finish(t, other, true)
	if n := read[int](t, db.Pool, "SELECT count(*) FROM sendpromptly.seals"); n != 0 {
		t.Errorf("%d entries of what is gone were sealed", n)
	}
	db.RequireSound()
}

// Duplicates, late outcomes and retention meet: each call is answered as if it had come wholly before or wholly after.
func TestLateWebhooksMeetRetention(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	e := db.Engine(engine.Config{})
	const n = 90
	acceptEvents(t, db, e, n)
	exec(t, db.Pool, "SELECT sendpromptly.succeed('stripe', event_id) FROM sendpromptly.effects")
	retention(t, db, 35*day)
	db.Travel(36 * day)
	ended := make(chan error, 1)
	go func() {
		_, err := enginetest.Retain(t.Context(), e)
		ended <- err
	}()
	for i := range n {
		k := key(fmt.Sprintf("evt_%d", i))
		switch i % 3 {
		case 0:
			receipt := accept(t, db, e, engine.Acceptance{Key: k})
			want := engine.StateAwaiting
			if receipt.Duplicate {
				want = engine.StateApplied
			}
			db.RequireState(k, want)
		case 1:
			if err := succeed(t.Context(), db.Pool, e, k); err != nil && !errors.Is(err, engine.ErrUnknownEffect) {
				t.Errorf("success: %v", err)
			}
		case 2:
			if err := e.Fail(t.Context(), k, nil); err != nil && !errors.Is(err, engine.ErrUnknownEffect) {
				t.Errorf("failure: %v", err)
			}
		}
	}
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	db.Travel(2 * day)
	if _, err := enginetest.Sweep(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	if _, err := enginetest.Purge(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	if deferred := column(t, db.Pool, "SELECT d.effect_id::text FROM sendpromptly.deferred_failures AS d"); len(deferred) > 0 {
		t.Errorf("%d failures still wait", len(deferred))
	}
}

// Retention removes an effect while a list that names it waits for another of its keys: the list is accepted as if it
// had come after. The host's transaction is never aborted for it.
func TestAListMeetsRetentionBetweenItsStatements(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	e := db.Engine(engine.Config{})
	for _, event := range []string{"evt_a", "evt_c"} {
		accept(t, db, e, engine.Acceptance{Key: key(event)})
		applied(t, db, e, key(event))
	}
	db.Travel(36 * day)
	if !accept(t, db, e, engine.Acceptance{Key: key("evt_c")}).Duplicate { // which keeps it
		t.Fatal("not recognised")
	}
	other := open(t, db.Pool, pgx.TxOptions{})
	if _, err := e.Accept(t.Context(), other, engine.Acceptance{Key: key("evt_b")}); err != nil {
		t.Fatal(err)
	}
	var receipts []engine.Receipt
	list := []engine.Acceptance{
		{Key: key("evt_c")},
		{Key: key("evt_a"), Subject: "acct_1"},
		{Key: key("evt_b")},
		{Key: key("evt_a")},
		{Key: key("evt_d")},
	}
	accepted := start(func() error {
		return pgx.BeginFunc(t.Context(), db.Pool, func(tx pgx.Tx) (err error) {
			receipts, err = e.AcceptMany(t.Context(), tx, list)
			return err
		})
	})
	waitBlocked(t, db, other, 1)
	retention(t, db, 35*day)
	retain(t, e, 1)
	finish(t, other, true)
	if err := receive(t, "the list is accepted", accepted); err != nil {
		t.Fatal(err)
	}
	for i, want := range []bool{true, false, true, true, false} {
		effect, err := e.Find(t.Context(), list[i].Key)
		if err != nil || receipts[i].EffectID != effect.ID || receipts[i].Duplicate != want {
			t.Errorf("%s: %+v, want duplicate %v of %s, %v", list[i].EventID, receipts[i], want, effect.ID, err)
		}
	}
	requireStory(t, db, key("evt_a"), "receipt→awaiting duplicate")
	db.RequireState(key("evt_a"), engine.StateAwaiting)
	db.RequireSound()
}

// A failure that waits for a lock is still to be told: its effect stays until it was.
func TestRetentionLeavesAnEffectWhoseFailureWaits(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	e := db.Engine(engine.Config{})
	accept(t, db, e, engine.Acceptance{Key: key("evt_1")})
	applied(t, db, e, key("evt_1"))
	retention(t, db, 35*day)
	db.Travel(36 * day)
	other := open(t, db.Pool, pgx.TxOptions{})
	run(t, other, "SELECT FROM sendpromptly.effects FOR UPDATE")
	if err := e.Fail(t.Context(), key("evt_1"), errNoAccount); err != nil {
		t.Fatal(err)
	}
	finish(t, other, false)
	if n := aside(t, db); n != 1 {
		t.Fatalf("%d failures aside", n)
	}
	retain(t, e, 0)
	sweep(t, e)
	requireStory(t, db, key("evt_1"), "receipt→awaiting success→applied failure")
}
