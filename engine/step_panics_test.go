package engine_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
)

// traps is an app's tracer that panics: once at the end of each query that it
// has a trap for.
type traps struct {
	mu   sync.Mutex
	left map[string]bool
}

type tracedSQL struct{}

func (*traps) TraceQueryStart(ctx context.Context, _ *pgx.Conn, q pgx.TraceQueryStartData) context.Context {
	return context.WithValue(ctx, tracedSQL{}, q.SQL)
}

func (tr *traps) TraceQueryEnd(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryEndData) {
	sql, _ := ctx.Value(tracedSQL{}).(string)
	name, _, _ := strings.Cut(strings.TrimPrefix(sql, "-- name: "), " ")
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if tr.left[name] {
		delete(tr.left, name)
		panic("trap in " + name)
	}
}

func (tr *traps) set(names ...string) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	for _, name := range names {
		tr.left[name] = true
	}
}

func (tr *traps) sprung() bool {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return len(tr.left) == 0
}

// trapped is an engine on a pool of its own whose tracer is tr.
func trapped(t *testing.T, db *enginetest.Database, logger *slog.Logger) (*engine.Engine, *traps) {
	t.Helper()
	tr := &traps{left: map[string]bool{}}
	cfg, err := pgxpool.ParseConfig(db.URL)
	if err != nil {
		t.Fatal(err)
	}
	cfg.ConnConfig.Tracer = tr
	cfg.MaxConns = 8
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	e, err := engine.New(t.Context(), pool, engine.Config{
		AllowNetworks: loopback, SweepInterval: 20 * time.Millisecond,
		Logger: logger,
	})
	if err != nil {
		t.Fatal(err)
	}
	return e, tr
}

// running runs an engine until the test ends, and then wants no error of it.
func running(t *testing.T, e *engine.Engine) {
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("Run = %v", err)
		}
	})
}

// lockedBuffer may be written and read at once.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// A panic in a step, or in the goroutine that sends a callback, costs what any
// error costs: a line in the log, here with the stack, and the time to the next
// interval or try. The process of the app goes on, and so does every loop.
func TestAPanicInAStepDoesNotEndTheProcess(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	var log lockedBuffer
	e, tr := trapped(t, db, slog.New(slog.NewTextHandler(&log, nil)))
	server := httptest.NewServer(e.RepairHandler(func(context.Context, pgx.Tx, engine.Repair) error { return nil }))
	defer server.Close()
	repairAt(t, db, server)
	accept(t, db, e, engine.Acceptance{Key: key("evt_1"), Timeout: time.Minute})
	db.Travel(2 * time.Minute)

	tr.set("WorkLook", "OverdueOpen", "ChangedSeal", "TermsIndex")
	running(t, e)
	eventually(t, "the steps panicked, and went on", func() bool {
		incident, err := enginetest.IncidentOf(t.Context(), e, key("evt_1"))
		return err == nil && incident.State == engine.StateMissing && tr.sprung()
	})
	incident, err := enginetest.IncidentOf(t.Context(), e, key("evt_1"))
	if err != nil {
		t.Fatal(err)
	}
	tr.set("CallbackClaim", "CallbackContent")
	if _, err := e.Reprocess(t.Context(), incident.ID, "ada"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the callback was claimed and read", tr.sprung)
	tr.set("CallbackComplete")
	eventually(t, "the answer was recorded", func() bool {
		db.Travel(time.Second) // to the next try
		return tr.sprung()
	})
	db.Travel(61 * time.Second) // the lease has passed
	eventually(t, "the effect is applied", func() bool {
		found, err := e.Find(t.Context(), key("evt_1"))
		return err == nil && found.State == engine.StateApplied
	})
	for _, want := range []string{
		"trap in WorkLook", "trap in OverdueOpen", "trap in ChangedSeal", "trap in TermsIndex", "trap in CallbackClaim",
		"trap in CallbackContent", "trap in CallbackComplete", "step=sweep", "step=seal", "step=index", "step=deliver", "stack=",
		"TraceQueryEnd",
	} {
		eventually(t, "the log holds "+want, func() bool { return strings.Contains(log.String(), want) })
	}
	db.RequireSound()
}

// angryHandler is a log handler that cannot take what it is told.
type angryHandler struct{ slog.Handler }

func (angryHandler) Handle(context.Context, slog.Record) error { panic("the disk is full") }

// A logger that panics when it is told of a failed step is outlived too.
func TestALoggerThatPanicsDoesNotEndTheProcess(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	e, tr := trapped(t, db, slog.New(angryHandler{slog.NewTextHandler(&lockedBuffer{}, nil)}))
	accept(t, db, e, engine.Acceptance{Key: key("evt_1"), Timeout: time.Minute})
	db.Travel(2 * time.Minute)
	tr.set("WorkLook", "OverdueOpen")
	running(t, e)
	eventually(t, "the incident opened", func() bool {
		_, err := enginetest.IncidentOf(t.Context(), e, key("evt_1"))
		return err == nil && tr.sprung()
	})
}

// A panic in one part of a sweep keeps the others from nothing.
func TestAPanicWhileFoldingFailuresStillOpensIncidents(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	e, tr := trapped(t, db, slog.New(slog.DiscardHandler))
	k := key("evt_1")
	accept(t, db, e, engine.Acceptance{Key: k})
	holder := open(t, db.Pool, pgx.TxOptions{})
	if err := e.Succeed(t.Context(), holder, k); err != nil {
		t.Fatal(err)
	}
	if err := e.Fail(t.Context(), k, errNoAccount); err != nil || aside(t, db) != 1 {
		t.Fatal(err)
	}
	accept(t, db, e, engine.Acceptance{Key: key("evt_2"), Timeout: time.Minute})
	db.Travel(2 * time.Minute)
	tr.set("FailuresFold")
	if opened, err := enginetest.Sweep(t.Context(), e); opened != 1 || err == nil || !strings.Contains(err.Error(),
		"panic: trap in FailuresFold") {
		t.Errorf("opened %d incidents, %v", opened, err)
	}
}

// A step that an app calls itself returns the panic of a goroutine of its own.
func TestDeliverReturnsAPanicAsAnError(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	e, tr := trapped(t, db, slog.New(slog.DiscardHandler))
	server := httptest.NewServer(e.RepairHandler(func(context.Context, pgx.Tx, engine.Repair) error { return nil }))
	defer server.Close()
	repairAt(t, db, server)
	accept(t, db, e, engine.Acceptance{Key: key("evt_1"), Timeout: time.Minute})
	db.Travel(2 * time.Minute)
	incident := db.RequireIncident(key("evt_1"), engine.CauseMissing)
	if _, err := e.Reprocess(t.Context(), incident.ID, "ada"); err != nil {
		t.Fatal(err)
	}
	tr.set("CallbackContent")
	if _, err := enginetest.Deliver(t.Context(), e); err == nil || !strings.Contains(err.Error(), "panic: trap in CallbackContent") {
		t.Errorf("Deliver = %v", err)
	}
	db.Travel(7 * time.Second) // the pause after a first try that failed
	tr.set("CallbackContent", "CallbackComplete")
	_, err := enginetest.Deliver(t.Context(), e)
	for _, want := range []string{"panic: trap in CallbackContent", "panic: trap in CallbackComplete"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Deliver = %v, want %s among it", err, want)
		}
	}
	db.Travel(61 * time.Second) // the lease has passed
	if n, err := enginetest.Deliver(t.Context(), e); n != 1 || err != nil {
		t.Errorf("Deliver = %d, %v", n, err)
	}
	db.RequireApplied(key("evt_1"))
}
