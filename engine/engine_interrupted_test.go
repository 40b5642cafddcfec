package engine_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
)

// everyCallOf is each exported call that may wait for something: those in the
// caller's transaction, and those on the engine's pool.
func everyCallOf(
	e *engine.Engine,
	pool *pgxpool.Pool,
	tx pgx.Tx,
	k engine.Key,
	incident engine.Incident,
) (inTx, onPool map[string]func(ctx context.Context) error) {
	inTx = map[string]func(ctx context.Context) error{}
	onPool = map[string]func(ctx context.Context) error{}
	for name, call := range keyCalls(e) {
		switch name {
		case "QueueAccept", "QueueSucceed": // wait for nothing
		case "Accept", "AcceptMany", "Succeed":
			inTx[name] = func(ctx context.Context) error { return call(ctx, tx, k) }
		default:
			onPool[name] = func(ctx context.Context) error { return call(ctx, tx, k) }
		}
	}
	for name, step := range map[string]func(context.Context, *engine.Engine) (int, error){
		"Sweep": enginetest.Sweep, "Deliver": enginetest.Deliver, "Seal": enginetest.Seal, "Index": enginetest.Index,
		"Purge": enginetest.Purge, "Retain": enginetest.Retain,
	} {
		onPool[name] = func(ctx context.Context) error { _, err := step(ctx, e); return err }
	}
	for name, filter := range map[string]engine.IncidentFilter{"all": {}, "open": {Open: true}, "term": {Term: "acct_1"}} {
		onPool["Incidents "+name] = func(ctx context.Context) error { _, err := e.Incidents(ctx, filter); return err }
	}
	onPool["Incident"] = func(ctx context.Context) error { _, err := e.Incident(ctx, incident.ID); return err }
	onPool["Timeline"] = func(ctx context.Context) error { _, err := e.Timeline(ctx, incident.EffectID, 0); return err }
	onPool["Reprocess"] = func(ctx context.Context) error { _, err := e.Reprocess(ctx, incident.ID, "ada"); return err }
	onPool["Stop"] = func(ctx context.Context) error { _, err := e.Stop(ctx, incident.ID, "ada"); return err }
	onPool["Close"] = func(ctx context.Context) error { return e.CloseIncident(ctx, incident.ID, "ada", "refunded") }
	onPool["Migrate"] = func(ctx context.Context) error { return engine.Migrate(ctx, pool) }
	return inTx, onPool
}

// prepared is a database with an open incident and an awaiting effect, and an
// engine with a pool of its own.
func prepared(t *testing.T) (*enginetest.Database, *engine.Engine, *pgxpool.Pool, engine.Incident, engine.Key) {
	t.Helper()
	db := enginetest.New(t)
	run(t, db.Pool, `UPDATE sendpromptly.projects SET repair_url = 'https://shop.example/repair'`)
	pool := newPool(t, db, "app", 4)
	e := engineOn(t, pool, engine.Config{Logger: slog.New(slog.DiscardHandler), SweepInterval: 10 * time.Millisecond})
	incident := missing(t, db, e, key("evt_missing"))[0]
	awaiting := key("evt_awaiting")
	accept(t, db, e, engine.Acceptance{Key: awaiting})
	return db, e, pool, incident, awaiting
}

// With a context that has ended, every call says so at once, changes nothing, and
// leaves the caller's transaction usable. Fail alone works all the same. It
// catches a call that goes on without its context, or that kills the connection.
func TestACancelledContextEndsEveryCallAndChangesNothing(t *testing.T) {
	t.Parallel()
	db, e, pool, incident, awaiting := prepared(t)
	before := contents(t, db)
	tx := open(t, db.Pool, pgx.TxOptions{})
	run(t, tx, `CREATE TABLE public.orders ()`)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	inTx, onPool := everyCallOf(e, pool, tx, awaiting, incident)
	fail := onPool["Fail"]
	delete(onPool, "Fail")
	delete(onPool, "Deliver") // has nothing to send, and says so
	for _, calls := range []map[string]func(context.Context) error{inTx, onPool} {
		for name, call := range calls {
			err := receive(t, name+" returns", start(func() error { return call(ctx) }))
			if !errors.Is(err, context.Canceled) {
				t.Errorf("%s: error = %v", name, err)
			}
		}
	}
	if err := receive(t, "Run returns", start(func() error { return e.Run(ctx) })); err != nil {
		t.Errorf("Run: %v", err)
	}
	for change, err := range e.Changes(ctx, "") {
		t.Errorf("Changes: %+v, %v", change, err)
	}
	if sent, err := enginetest.Deliver(ctx, e); sent != 0 || err != nil {
		t.Errorf("Deliver = %d, %v", sent, err)
	}
	if err := e.Succeed(t.Context(), tx, incident.Key); err != nil { // the transaction is as usable as before
		t.Error(err)
	}
	finish(t, tx, false)
	for table, rows := range contents(t, db) {
		if rows != before[table] {
			t.Errorf("%s changed", table)
		}
	}
	if err := fail(ctx); err != nil {
		t.Errorf("Fail: %v", err)
	}
	db.RequireState(awaiting, engine.StateFailed)
	db.RequireSound()
}

// With a closed pool every call returns an error, soon, and none panics; what
// runs in the caller's own transaction does not mind.
func TestAClosedPoolIsAnErrorOfEveryCall(t *testing.T) {
	t.Parallel()
	db, e, pool, incident, awaiting := prepared(t)
	tx := open(t, db.Pool, pgx.TxOptions{})
	inTx, onPool := everyCallOf(e, pool, tx, awaiting, incident)
	pool.Close()
	for name, call := range onPool {
		if err := receive(t, name+" returns", start(func() error { return call(t.Context()) })); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	for name, call := range inTx {
		if err := call(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	finish(t, tx, true)
	db.RequireApplied(awaiting)

	if _, err := engine.New(t.Context(), pool, engine.Config{}); err == nil {
		t.Error("New: no error")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := receive(t, "Run goes on until its context ends", start(func() error { return e.Run(ctx) })); err != nil {
		t.Errorf("Run: %v", err)
	}
	if ctx.Err() == nil {
		t.Error("Run ended by itself")
	}
	for change, err := range e.Changes(t.Context(), "") {
		if err == nil {
			t.Errorf("Changes: %+v", change)
		}
		break
	}
}

// In a transaction that is already aborted or over, the signals return
// Postgres's or pgx's own error; bad input is still told apart, and Fail, which
// needs no transaction, records what broke it.
func TestAnAbortedTransactionIsAnErrorAndTheFailureIsRecorded(t *testing.T) {
	t.Parallel()
	db, e, pool, incident, awaiting := prepared(t)
	tx := open(t, db.Pool, pgx.TxOptions{})
	_, cause := tx.Exec(t.Context(), `SELECT 1 / 0`)
	inTx, _ := everyCallOf(e, pool, tx, awaiting, incident)
	for name, call := range inTx {
		if err := call(t.Context()); sqlState(err) != "25P02" {
			t.Errorf("%s: error = %v", name, err)
		}
	}
	requireField(t, e.Succeed(t.Context(), tx, engine.Key{Provider: "stripe", EventID: nul, Effect: "x"}), "EventID")
	if err := e.Fail(t.Context(), awaiting, cause); err != nil {
		t.Error(err)
	}
	finish(t, tx, false)
	if i := db.RequireIncident(awaiting, engine.CauseFailed); i.ErrorMessage != "ERROR: division by zero (SQLSTATE 22012)" {
		t.Errorf("recorded %q", i.ErrorMessage)
	}
	for name, call := range inTx {
		if err := call(t.Context()); !errors.Is(err, pgx.ErrTxClosed) {
			t.Errorf("%s after the rollback: error = %v", name, err)
		}
	}
	db.RequireSound()
}
