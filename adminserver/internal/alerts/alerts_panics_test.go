package alerts_test

import (
	"context"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sendpromptly/sendpromptly/adminserver/internal/alerts"
	"github.com/sendpromptly/sendpromptly/internal/store/projects"
	"github.com/sendpromptly/sendpromptly/internal/store/rooms"
)

// angryHandler is a log handler that cannot take what it is told.
type angryHandler struct{ slog.Handler }

func (angryHandler) Handle(context.Context, slog.Record) error { panic("the disk is full") }

// A logger that panics when it is told of a delivery that failed ends neither
// the process nor the delivery.
func TestALoggerThatPanicsKeepsNoAlertFromBeingTriedAgain(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.set(projects.Settings{AlertSlack: &d.slack.url})
	d.deps.Logger = slog.New(angryHandler{slog.NewTextHandler(d.log, nil)})
	d.sender = alerts.New(d.deps, d.smtp)
	d.slack.answer(500, nil)
	d.miss("default", key(1))
	if n := d.send(); n != 1 {
		t.Errorf("%d deliveries", n)
	}
	d.slack.answer(200, nil)
	d.db.Travel(31 * time.Second)
	if n := d.send(); n != 1 || len(d.slack.all()) != 2 || d.entries(key(1)) != 1 {
		t.Errorf("%d deliveries, %d texts, %d entries", n, len(d.slack.all()), d.entries(key(1)))
	}
}

// trap is an app's tracer that panics at the end of the first query that reads an alert.
type trap struct{ sprung atomic.Bool }

type tracedSQL struct{}

func (*trap) TraceQueryStart(ctx context.Context, _ *pgx.Conn, q pgx.TraceQueryStartData) context.Context {
	return context.WithValue(ctx, tracedSQL{}, q.SQL)
}

func (tr *trap) TraceQueryEnd(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryEndData) {
	if sql, _ := ctx.Value(tracedSQL{}).(string); strings.HasPrefix(sql, "-- name: AlertGroupList ") &&
		tr.sprung.CompareAndSwap(false, true) {
		panic("boom")
	}
}

// A panic in a delivery is a try that failed: it is recorded, returned with its
// stack, and tried again.
func TestAPanicInADeliveryIsATryThatFailed(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.set(projects.Settings{AlertSlack: &d.slack.url})
	cfg, err := pgxpool.ParseConfig(d.db.URL)
	if err != nil {
		t.Fatal(err)
	}
	cfg.ConnConfig.Tracer = &trap{}
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	if d.deps.Rooms, err = rooms.Open(pool, secretKey); err != nil {
		t.Fatal(err)
	}
	d.sender = alerts.New(d.deps, d.smtp)
	d.miss("default", key(1))
	if n, err := d.sender.Send(t.Context()); n != 1 || err == nil || !strings.Contains(err.Error(), "panic: boom") {
		t.Errorf("%d deliveries, %v", n, err)
	}
	if n := d.send(); n != 0 {
		t.Errorf("%d tries without a pause", n)
	}
	d.db.Travel(31 * time.Second)
	if n := d.send(); n != 1 || len(d.slack.all()) != 1 || d.entries(key(1)) != 1 {
		t.Errorf("%d deliveries, %d texts, %d entries", n, len(d.slack.all()), d.entries(key(1)))
	}
}
