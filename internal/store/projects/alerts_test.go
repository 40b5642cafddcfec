package projects_test

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
	"github.com/sendpromptly/sendpromptly/internal/store/projects"
	"github.com/sendpromptly/sendpromptly/internal/store/rooms"
)

// A storm is alerted before any statistics know of it. Each incident is looked up by its key all the same: the work grows
// with the storm, and not with its square.
func TestAStormsAlertReadsEachIncidentAFewTimes(t *testing.T) {
	t.Parallel()
	const storm = 1000
	db := enginetest.New(t)
	url := "https://ops.example.com/hook"
	needs(
		needs(rooms.Open(db.Pool, ""))(t).Projects.Set(t.Context(), "default", projects.Settings{AlertWebhook: &url}, nil, "ada"),
	)(
		t,
	)
	needs(
		db.Pool.Exec(
			t.Context(),
			"SELECT sendpromptly.accept('stripe', 'evt_' || n, 'credit_grant') FROM generate_series(1, $1) AS n",
			storm,
		),
	)(
		t,
	)
	db.Travel(31 * time.Minute)
	needs(enginetest.Sweep(t.Context(), db.Engine(engine.Config{})))(t)

	cfg := needs(pgxpool.ParseConfig(db.URL))(t)
	cfg.MaxConns = 1 // one session, whose reads are counted
	pool := needs(pgxpool.NewWithConfig(t.Context(), cfg))(t)
	t.Cleanup(pool.Close)
	alerts := needs(rooms.Open(pool, ""))(t).Projects.Alerts
	entries := func() int { return entriesRead(t, pool, "incidents", "effects") }
	for _, step := range []struct {
		name string
		do   func()
	}{
		{"gathering", func() { needs(alerts.Gather(t.Context()))(t) }},
		{"claiming, telling and recording", func() {
			due := needs(alerts.Due(t.Context(), 10))(t)
			if len(due) != 1 {
				t.Fatalf("%d deliveries", len(due))
			}
			if content := needs(alerts.Content(t.Context(), due[0]))(t); content.Count() != storm {
				t.Errorf("it tells of %d incidents", content.Count())
			}
			needs(alerts.Mark(t.Context(), due[0], projects.AlertVerdict{}))(t)
		}},
	} {
		before := entries()
		step.do()
		if n := entries() - before; n > 10*storm {
			t.Errorf("%s reads %d entries for %d incidents", step.name, n, storm)
		}
	}
}

// entriesRead is how many index entries of these tables were read so far.
func entriesRead(t *testing.T, pool *pgxpool.Pool, tables ...string) (n int) {
	t.Helper()
	needs(pool.Exec(t.Context(), "SELECT pg_stat_force_next_flush()"))(t)
	err := pool.QueryRow(t.Context(), `SELECT sum(idx_tup_read)::int FROM pg_stat_user_indexes
		WHERE schemaname = 'sendpromptly' AND relname = ANY ($1)`, tables).Scan(&n)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func needs[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}
