package engine_test

import (
	"context"
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
	log.require(t, "WARN sendpromptly: incidents opened opened=12 cause=missing",
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
