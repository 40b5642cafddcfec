package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
	"github.com/sendpromptly/sendpromptly/internal/store"
)

// A storm is alerted before any statistics know of it. Each incident is looked up by its key all the same: the work grows
// with the storm, and not with its square.
func TestAStormsAlertReadsEachIncidentAFewTimes(t *testing.T) {
	t.Parallel()
	const storm = 1000
	s := newShop(t)
	url := "https://ops.example.com/hook"
	needs(s.st.SetProject(t.Context(), "default", store.ProjectSettings{AlertWebhook: &url}, nil, "ada"))(t)
	for n := range storm {
		s.accept(engine.Acceptance{Key: credits(fmt.Sprint("evt_", n))})
	}
	s.Travel(31 * time.Minute)
	needs(enginetest.Sweep(t.Context(), s.e))(t)

	cfg := needs(pgxpool.ParseConfig(s.URL))(t)
	cfg.MaxConns = 1 // one session, whose reads are counted
	pool := needs(pgxpool.NewWithConfig(t.Context(), cfg))(t)
	t.Cleanup(pool.Close)
	st := needs(store.New(pool, ""))(t)
	entries := func() int { return entriesRead(t, pool, "incidents", "effects") }
	for _, step := range []struct {
		name string
		do   func()
	}{
		{"gathering", func() { needs(st.GatherAlerts(t.Context()))(t) }},
		{"claiming, telling and recording", func() {
			due := needs(st.DueAlerts(t.Context(), 10))(t)
			if len(due) != 1 {
				t.Fatalf("%d deliveries", len(due))
			}
			if content := needs(st.AlertContent(t.Context(), due[0]))(t); content.Count() != storm {
				t.Errorf("it tells of %d incidents", content.Count())
			}
			needs(st.MarkAlerted(t.Context(), due[0], store.AlertVerdict{}))(t)
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
	return need(t, n, err)
}

// The same for the end of many attempts at once: each ends its own callback, and reads nobody else's.
func TestAStormOfAttemptsEndsEachByItsKey(t *testing.T) {
	t.Parallel()
	const storm = 500
	s := newShop(t)
	for n := range storm {
		s.accept(engine.Acceptance{Key: credits(fmt.Sprint("evt_", n))})
	}
	s.Travel(31 * time.Minute)
	needs(enginetest.Sweep(t.Context(), s.e))(t)
	s.exec(`SELECT sendpromptly.reprocess(i.incident_id, 'ada', '1 hour') FROM sendpromptly.incidents AS i`)
	s.Travel(2 * time.Hour)
	cfg := needs(pgxpool.ParseConfig(s.URL))(t)
	cfg.MaxConns = 1 // one session, whose reads are counted
	pool := needs(pgxpool.NewWithConfig(t.Context(), cfg))(t)
	t.Cleanup(pool.Close)
	before := entriesRead(t, pool, "callbacks", "attempts")
	needs(pool.Exec(t.Context(), `SELECT sendpromptly.expire_attempts(1000)`))(t)
	if n := entriesRead(t, pool, "callbacks", "attempts") - before; n > 10*storm {
		t.Errorf("the end of %d attempts reads %d entries", storm, n)
	}
	if n := s.count("SELECT count(*) FROM sendpromptly.callbacks WHERE state = 'cancelled'"); n != storm {
		t.Errorf("%d callbacks were cancelled", n)
	}
}
