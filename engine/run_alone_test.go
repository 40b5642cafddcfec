package engine_test

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"net/url"
	"runtime"
	"runtime/pprof"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
)

// Run alone does the whole job: it finds the missed effect, delivers the
// callback that an operator asks for, and seals the story. It ends when told
// to, without an error and without a trace among the running engines.
func TestRunFindsDeliversAndSeals(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	e := db.Engine(engine.Config{AllowNetworks: loopback, SweepInterval: 20 * time.Millisecond})
	server := httptest.NewServer(e.RepairHandler(func(context.Context, pgx.Tx, engine.Repair) error { return nil }))
	defer server.Close()
	repairAt(t, db, server)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()

	accept(t, db, e, engine.Acceptance{Key: key("evt_1"), Timeout: time.Second})
	for change, err := range e.Changes(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		if change.Kind == "incident" && change.What == "opened" {
			if _, err := e.Reprocess(t.Context(), engine.IncidentID(change.ID), "ada"); err != nil {
				t.Fatal(err)
			}
		}
		if change.Kind == "incident" && change.What == "applied" {
			break
		}
	}
	db.RequireApplied(key("evt_1"))
	if alive := column(t, db.Pool, "SELECT e.version FROM sendpromptly.engines AS e"); len(alive) != 1 {
		t.Errorf("%d heartbeats", len(alive))
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("Run = %v", err)
	}
	if alive := column(t, db.Pool, "SELECT e.version FROM sendpromptly.engines AS e"); len(alive) != 0 {
		t.Errorf("%d heartbeats after the end", len(alive))
	}
	db.RequireSound()
}

// Pages follow each other without a gap or a repetition, whatever the filter.
func TestPagesOfIncidentsAndTimelines(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	e := db.Engine(engine.Config{})
	acceptEvents(t, db, e, 25)
	db.Travel(31 * time.Minute)
	if _, err := enginetest.Sweep(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	seen := map[engine.IncidentID]bool{}
	pages := 0
	for before := engine.IncidentID(""); ; pages++ {
		page, err := e.Incidents(t.Context(), engine.IncidentFilter{Open: true, Before: before, Limit: 10})
		if err != nil {
			t.Fatal(err)
		}
		for _, incident := range page.Incidents {
			if seen[incident.ID] || before != "" && incident.ID >= before {
				t.Errorf("%s comes twice or out of order", incident.ID)
			}
			seen[incident.ID] = true
		}
		if before = page.Next; before == "" {
			break
		}
	}
	if len(seen) != 25 || pages != 2 {
		t.Errorf("%d incidents on %d pages", len(seen), pages+1)
	}
	for range 450 {
		exec(t, db.Pool, "SELECT sendpromptly.accept('stripe', 'evt_0', 'credit_grant')")
	}
	kinds, err := db.Kinds(key("evt_0"))
	if err != nil || len(kinds) != 453 {
		t.Errorf("%s entries, %v", strconv.Itoa(len(kinds)), err)
	}
	effect, err := e.Find(t.Context(), key("evt_0"))
	if err != nil {
		t.Fatal(err)
	}
	var page engine.TimelinePage // its zero value is where the history begins
	ids := map[int64]bool{}
	for first := true; first || page.Next != 0; first = false {
		if page, err = e.Timeline(t.Context(), effect.ID, page.Next); err != nil {
			t.Fatal(err)
		}
		if first && page.Entries[0].Kind != engine.KindReceipt {
			t.Errorf("the history begins with %s", page.Entries[0].Kind)
		}
		for _, entry := range page.Entries {
			ids[entry.ID] = true
		}
	}
	if len(ids) != 453 {
		t.Errorf("%d entries on all pages", len(ids))
	}
}

// Postgres goes away, every connection with it, and refuses new ones for a while. Run neither ends nor has to be started
// again: what was missed meanwhile opens within 5 seconds of its return.
func TestRunGoesOnWithin5SecondsOfPostgres(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	e := db.Engine(engine.Config{SweepInterval: 100 * time.Millisecond, Logger: slog.New(slog.DiscardHandler)})
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()
	accept(t, db, e, engine.Acceptance{Key: key("evt_1"), Timeout: time.Second})

	server, err := pgx.Connect(t.Context(), maintenanceURL(t, db))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = server.Close(context.WithoutCancel(t.Context())) }()
	name := pgx.Identifier{db.Pool.Config().ConnConfig.Database}.Sanitize()
	for _, statement := range []string{
		"ALTER DATABASE " + name + " ALLOW_CONNECTIONS false",
		"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '" + db.Pool.Config().ConnConfig.Database + "'",
		"SELECT pg_sleep(2)", // the deadline passes meanwhile
		"ALTER DATABASE " + name + " ALLOW_CONNECTIONS true",
	} {
		if _, err := server.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	back := time.Now()
	eventually(t, "the incident", func() bool {
		incident, err := enginetest.IncidentOf(t.Context(), e, key("evt_1"))
		return err == nil && incident.State == engine.StateMissing
	})
	if took := time.Since(back); took > 5*time.Second {
		t.Errorf("the incident opened %v after Postgres came back", took)
	}
	select {
	case err := <-ended:
		t.Errorf("Run ended: %v", err)
	default:
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("Run = %v", err)
	}
}

// maintenanceURL is the database "postgres" of the test's server.
func maintenanceURL(t *testing.T, db *enginetest.Database) string {
	t.Helper()
	u, err := url.Parse(db.URL)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/postgres"
	return u.String()
}

// When Run has returned, nothing that it started is left: no loop, no sender, no connection that waits to be used again.
func TestRunLeavesNoGoroutineBehind(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	e := db.Engine(engine.Config{AllowNetworks: loopback, SweepInterval: 20 * time.Millisecond})
	server := httptest.NewServer(e.RepairHandler(func(context.Context, pgx.Tx, engine.Repair) error { return nil }))
	defer server.Close()
	repairAt(t, db, server)
	incident := missing(t, db, e, key("evt_1"))[0]
	if _, err := e.Reprocess(t.Context(), incident.ID, "ada"); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := start(func() (err error) {
		pprof.Do(ctx, pprof.Labels("run", t.Name()), func(ctx context.Context) { err = e.Run(ctx) })
		return err
	})
	eventually(t, "the repair is delivered", func() bool {
		found, err := e.Find(t.Context(), key("evt_1"))
		return err == nil && found.State == engine.StateApplied
	})
	if labelled(t) == "" {
		t.Fatal("the labels do not show what runs")
	}
	stop()
	if err := receive(t, "Run ends", ended); err != nil {
		t.Fatal(err)
	}
	for short := time.Now().Add(5 * time.Second); labelled(t) != "" && time.Now().Before(short); {
		runtime.Gosched() // what has been told to end may still be ending
	}
	if stack := labelled(t); stack != "" {
		t.Errorf("still there:\n%s", stack)
	}
}

// labelled is the stack of a goroutine that was started by what runs under the test's label: goroutines inherit it.
func labelled(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	if err := pprof.Lookup("goroutine").WriteTo(&all, 1); err != nil {
		t.Fatal(err)
	}
	for stack := range strings.SplitSeq(all.String(), "\n\n") {
		if strings.Contains(stack, `"run":"`+t.Name()+`"`) {
			return stack
		}
	}
	return ""
}
