package engine_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
)

// heard is a log that keeps its lines.
type heard struct {
	mu    sync.Mutex
	lines []string
}

func (*heard) Enabled(context.Context, slog.Level) bool { return true }
func (h *heard) WithAttrs([]slog.Attr) slog.Handler     { return h }
func (h *heard) WithGroup(string) slog.Handler          { return h }

func (h *heard) Handle(_ context.Context, r slog.Record) error {
	line := r.Level.String() + " " + r.Message
	r.Attrs(func(a slog.Attr) bool { line += " " + a.String(); return true })
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lines = append(h.lines, line)
	return nil
}

// require ends the test unless exactly these lines were written since it last asked.
func (h *heard) require(t *testing.T, want ...string) {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	if !slices.Equal(h.lines, want) {
		t.Fatalf("the log says\n%q, want\n%q", h.lines, want)
	}
	h.lines = nil
}

// requireInAnyOrder is require for lines whose order nobody promises.
func (h *heard) requireInAnyOrder(t *testing.T, want ...string) {
	t.Helper()
	h.mu.Lock()
	slices.Sort(h.lines)
	h.mu.Unlock()
	slices.Sort(want)
	h.require(t, want...)
}

// forget leaves out what was written until now.
func (h *heard) forget() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lines = nil
}

// The engine says what a pass moved, in one line, and that incidents opened, as a warning. Where nothing moves it is quiet.
func TestTheEngineSaysWhatItMoved(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	log := &heard{}
	e := engineOn(t, newPool(t, db, "app", 8), engine.Config{AllowNetworks: loopback, Logger: slog.New(log)})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	repairAt(t, db, server)
	step := func(do func(context.Context, *engine.Engine) (int, error)) {
		t.Helper()
		if _, err := do(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	quiet := func() {
		t.Helper()
		for _, do := range []func(context.Context, *engine.Engine) (int, error){
			enginetest.Sweep, enginetest.Deliver, enginetest.Seal, enginetest.Index, enginetest.Purge, enginetest.Retain,
		} {
			step(do)
		}
		log.require(t)
	}
	quiet()

	acceptEvents(t, db, e, 12)
	db.Travel(31 * time.Minute)
	step(enginetest.Sweep)
	log.require(t, "WARN sendpromptly: incidents opened opened=12 missing=12 failed=0",
		"INFO sendpromptly: sweep moved effects opened=12 expired=0 folded=0")
	quiet()

	incident, err := enginetest.IncidentOf(t.Context(), e, key("evt_0"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Reprocess(t.Context(), incident.ID, "ada"); err != nil {
		t.Fatal(err)
	}
	step(enginetest.Deliver)
	log.require(t, "INFO sendpromptly: repair callbacks sent sent=1")
	db.Travel(24 * time.Hour) // the attempt's time has passed
	step(enginetest.Sweep)
	log.require(t, "INFO sendpromptly: sweep moved effects opened=0 expired=1 folded=0")

	tx := open(t, db.Pool, pgx.TxOptions{})
	if err := e.Succeed(t.Context(), tx, key("evt_1")); err != nil {
		t.Fatal(err)
	}
	if err := e.Fail(t.Context(), key("evt_1"), errNoAccount); err != nil {
		t.Fatal(err)
	}
	finish(t, tx, false)
	db.Travel(2 * time.Second)
	step(enginetest.Sweep)
	log.require(t, "INFO sendpromptly: sweep moved effects opened=0 expired=0 folded=1")

	if err := succeed(t.Context(), db.Pool, e, key("evt_2")); err != nil {
		t.Fatal(err)
	}
	retention(t, db, 35*day)
	db.Travel(36 * 24 * time.Hour)
	step(enginetest.Retain)
	log.require(t, "INFO sendpromptly: settled effects removed retained=1")
}

// Each incident that opens is logged once, by the call that recorded why: Fail, or the sweep.
func TestEachIncidentThatOpensIsToldOnce(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	log := &heard{}
	e := engineOn(t, newPool(t, db, "app", 8), engine.Config{Logger: slog.New(log)})
	acceptEvents(t, db, e, 4)
	sweep := func() {
		t.Helper()
		if _, err := enginetest.Sweep(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	fail := func(k engine.Key) {
		t.Helper()
		if err := e.Fail(t.Context(), k, errNoAccount); err != nil {
			t.Fatal(err)
		}
	}
	told := func(k engine.Key, cause engine.Cause) string {
		t.Helper()
		i := db.RequireIncident(k, cause)
		return fmt.Sprintf(
			"WARN sendpromptly: an incident opened project=default incident_id=%s effect_id=%s provider=stripe event_id=%s "+
				"effect=%s cause=%s",
			i.ID,
			i.EffectID,
			k.EventID,
			k.Effect,
			cause,
		)
	}
	fail(key("evt_0"))
	log.require(t, told(key("evt_0"), engine.CauseFailed))
	fail(key("evt_0")) // it is open already
	log.require(t)

	tx := open(t, db.Pool, pgx.TxOptions{})
	if err := e.Succeed(t.Context(), tx, key("evt_1")); err != nil {
		t.Fatal(err)
	}
	fail(key("evt_1")) // stored aside
	log.require(t)
	finish(t, tx, false)
	sweep()
	log.require(t, told(key("evt_1"), engine.CauseFailed), "INFO sendpromptly: sweep moved effects opened=1 expired=0 folded=1")

	db.Travel(31 * time.Minute)
	sweep()
	var missing []string
	for _, k := range []engine.Key{key("evt_2"), key("evt_3")} {
		missing = append(missing, told(k, engine.CauseMissing))
	}
	log.requireInAnyOrder(t, append(missing, "INFO sendpromptly: sweep moved effects opened=2 expired=0 folded=0")...)
	fail(key("evt_2")) // its cause changes
	sweep()
	log.require(t)
}

// A duplicate that is a mismatch is logged, whichever call met it; one that says the same again is not.
func TestAReceiptThatDiffersIsTold(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	log := &heard{}
	e := engineOn(t, newPool(t, db, "app", 8), engine.Config{Logger: slog.New(log)})
	paid := func(k engine.Key, minor int64) engine.Acceptance {
		return engine.Acceptance{Key: k, Amount: engine.Money{Minor: minor, Currency: "EUR"}}
	}
	first := accept(t, db, e, paid(key("evt_1"), 4900))
	says := func(why string) string {
		return fmt.Sprintf(
			"WARN sendpromptly: a duplicate receipt differs from the first or its effect is closed project=default effect_id=%s "+
				"provider=stripe event_id=evt_1 effect=credit_grant why=%s",
			first.EffectID,
			why,
		)
	}
	const differs = "amount differs from the first receipt"
	accept(t, db, e, paid(key("evt_1"), 4900))
	log.require(t)
	if again := accept(t, db, e, paid(key("evt_1"), 1)); !again.Duplicate || again.State != engine.StateAwaiting {
		t.Errorf("the mismatch is answered %+v", again)
	}
	log.require(t, says(differs))
	accept(t, db, e, paid(key("evt_1"), 4900)) // the mismatch before is not this one's
	log.require(t)

	batch := &pgx.Batch{}
	if err := e.QueueAccept(batch, paid(key("evt_1"), 1), func(r engine.Receipt) error {
		if r.State != engine.StateAwaiting || !r.Duplicate {
			t.Errorf("queued, the mismatch is answered %+v", r)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := db.Pool.SendBatch(t.Context(), batch).Close(); err != nil {
		t.Fatal(err)
	}
	log.require(t, says(differs))

	if err := e.Fail(t.Context(), key("evt_1"), errNoAccount); err != nil {
		t.Fatal(err)
	}
	if err := e.CloseIncident(t.Context(), db.RequireIncident(key("evt_1"), engine.CauseFailed).ID, "ada", "refunded"); err != nil {
		t.Fatal(err)
	}
	log.forget()
	many := func(list ...engine.Acceptance) (receipts []engine.Receipt) {
		t.Helper()
		err := pgx.BeginFunc(t.Context(), db.Pool, func(tx pgx.Tx) (err error) {
			receipts, err = e.AcceptMany(t.Context(), tx, list)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return receipts
	}
	if receipts := many(paid(key("evt_2"), 1), paid(key("evt_1"), 4900)); receipts[0].State != engine.StateAwaiting ||
		receipts[1].State != engine.StateClosed {
		t.Errorf("the list is answered %+v", receipts)
	}
	log.require(t, says("the effect is closed"))

	var list, other []engine.Acceptance
	for n := range 11 {
		k := key(fmt.Sprintf("evt_many_%d", n))
		list, other = append(list, paid(k, 1)), append(other, paid(k, 2))
	}
	many(list...)
	many(list...)
	log.require(t)
	many(other...)
	log.require(
		t,
		"WARN sendpromptly: duplicate receipts differ from the first or their effects are closed project=default receipts=11",
	)
}
