package evidence_test

import (
	"testing"
	"time"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/store/evidence"
)

// An erasure waits for what a worker holds, but holds nothing else meanwhile: the app's other work goes on.
func TestErasingHoldsUpNobodyWhileItWaits(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.exec(
		`SELECT sendpromptly.accept('stripe', 'evt_' || n, 'credit_grant', customer => 'cus_many') FROM generate_series(1, 5) AS n`,
	)
	worker := w.begin()
	do := func(sql string, args ...any) {
		t.Helper()
		if _, err := worker.Exec(t.Context(), sql, args...); err != nil {
			t.Fatalf("the worker: %v", err)
		}
	}
	do("SELECT sendpromptly.begin_apply('stripe', 'evt_3', 'credit_grant')")
	var erased evidence.Erased
	ended := make(chan error, 1)
	go func() {
		var err error
		erased, err = w.store.Evidence.Erase(t.Context(),
			evidence.EraseRequest{Project: "default", Customer: "cus_many", By: "ada"})
		ended <- err
	}()
	w.blocked(worker)
	if n := w.count("SELECT count(*) FROM sendpromptly.effects WHERE customer = 'cus_many'"); n != 1 {
		t.Errorf("%d effects are not erased yet, want the one that the worker holds", n)
	}
	do("SET LOCAL lock_timeout = '5s'")
	for _, event := range []string{"evt_1", "evt_5", "evt_3"} { // whatever the order
		do("SELECT sendpromptly.succeed('stripe', $1, 'credit_grant')", event)
	}
	if err := worker.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil || erased.Effects != 5 || erased.Open != 4 {
		t.Errorf("Erase = %+v, %v", erased, err)
	}
	w.db.Travel(time.Hour)
	w.db.RequireIncident(engine.Key{Provider: "stripe", EventID: "evt_2", Effect: "credit_grant"}, engine.CauseMissing)
	w.db.RequireSound()
	w.requireChains()
}

// Sealing takes chains in the order of what changed. Where that is another one, the erasure loses the deadlock and begins again.
func TestErasingSurvivesADeadlockWithSealing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first, second := w.incident("evt_1"), w.incident("evt_2")
	sealing := w.begin()
	do := func(sql string, args ...any) {
		t.Helper()
		if _, err := sealing.Exec(t.Context(), sql, args...); err != nil {
			t.Fatalf("the sealing: %v", err)
		}
	}
	do("SET LOCAL deadlock_timeout = '1min'") // the erasure notices it first
	do("SELECT sendpromptly.seal(1, $1)", string(second.EffectID))
	ended := make(chan error, 1)
	go func() {
		_, err := w.store.Evidence.Erase(t.Context(), evidence.EraseRequest{Project: "default", Customer: "cus_1", By: "ada"})
		ended <- err
	}()
	w.blocked(sealing)
	do("SELECT sendpromptly.seal(1, $1)", string(first.EffectID))
	if err := sealing.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	w.db.RequireSound()
	w.requireChains()
}
