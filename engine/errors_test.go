package engine_test

import (
	"context"
	"reflect"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
)

// Every error that leaves the engine says once whose it is. The table holds every exported method that can give one.
func TestEveryErrorIsNamedOnce(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	pool := newPool(t, db, "app", 2)
	e := engineOn(t, pool, engine.Config{})
	ctx, k, id := t.Context(), key("evt_1"), engine.IncidentID("01a20a17-009a-71c6-8eae-a46dc2e0fc74")
	tx, err := pool.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := tx.Rollback(ctx); err != nil { // what is sent on it fails
		t.Fatal(err)
	}
	pool.Close()
	broken := func(queue func(*pgx.Batch) error) error {
		batch := &pgx.Batch{}
		if err := queue(batch); err != nil {
			return err
		}
		run(t, db.Pool, `ALTER FUNCTION sendpromptly.clock() RENAME TO gone`)
		defer run(t, db.Pool, `ALTER FUNCTION sendpromptly.gone() RENAME TO clock`)
		return db.Pool.SendBatch(ctx, batch).Close()
	}
	calls := map[string]error{
		"Accept":        second(e.Accept(ctx, tx, engine.Acceptance{Key: k})),
		"AcceptMany":    second(e.AcceptMany(ctx, tx, []engine.Acceptance{{Key: k}})),
		"QueueAccept":   broken(func(b *pgx.Batch) error { return e.QueueAccept(b, engine.Acceptance{Key: k}, nil) }),
		"Succeed":       e.Succeed(ctx, tx, k),
		"QueueSucceed":  broken(func(b *pgx.Batch) error { return e.QueueSucceed(b, k) }),
		"Fail":          e.Fail(ctx, k, errNoAccount),
		"Apply":         e.Apply(ctx, k, works),
		"Find":          second(e.Find(ctx, k)),
		"Incident":      second(e.Incident(ctx, id)),
		"Incidents":     second(e.Incidents(ctx, engine.IncidentFilter{})),
		"Timeline":      second(e.Timeline(ctx, engine.EffectID(id), 0)),
		"Reprocess":     second(e.Reprocess(ctx, id, "ada")),
		"Stop":          second(e.Stop(ctx, id, "ada")),
		"CloseIncident": e.CloseIncident(ctx, id, "ada", "refunded"),
		"Reopen":        second(e.Reopen(ctx, id, "ada", "not refunded after all")),
		"Note":          e.Note(ctx, id, "ada", "hm"),
		"TryNow":        e.TryNow(ctx, id, "ada"),
		"Migrate":       engine.Migrate(ctx, pool),
		"New":           second(engine.New(ctx, pool, engine.Config{})),
		"enginetest":    second(enginetest.Sweep(ctx, e)),
	}
	_, _, calls["SealEffect"] = e.SealEffect(ctx, engine.EffectID(id))
	for _, err := range e.Changes(ctx, "") {
		calls["Changes"] = err
		break
	}
	for name, err := range calls {
		if err == nil || strings.Count(err.Error(), "sendpromptly: ") != 1 || !strings.HasPrefix(err.Error(), "sendpromptly: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	giveNone := []string{"Run", "RepairHandler", "EnqueueHandler"} // Run's error is always nil
	for method := range reflect.TypeFor[*engine.Engine]().Methods() {
		if _, called := calls[method.Name]; !called && !strings.Contains(strings.Join(giveNone, " "), method.Name) {
			t.Errorf("%s is not called here", method.Name)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// An app gets back what its own function said, as it is.
func TestApplyGivesTheAppsErrorBack(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	e := db.Engine(engine.Config{})
	k := key("evt_1")
	accept(t, db, e, engine.Acceptance{Key: k})
	err := e.Apply(t.Context(), k, func(context.Context, pgx.Tx) error { return errNoAccount })
	if err == nil || err.Error() != errNoAccount.Error() {
		t.Errorf("Apply says %v", err)
	}
	// What Postgres says of a transaction that the app broke has no key in it either: incidents with one cause are one storm.
	ruined := key("evt_2")
	accept(t, db, e, engine.Acceptance{Key: ruined})
	err = e.Apply(t.Context(), ruined, func(ctx context.Context, tx pgx.Tx) error {
		_, _ = tx.Exec(ctx, "SELECT 1 / 0")
		return nil
	})
	if i := db.RequireIncident(ruined, engine.CauseFailed); err == nil || strings.Contains(i.ErrorMessage, "evt_2") {
		t.Errorf("%v is recorded as %s", err, i.ErrorMessage)
	}
}
