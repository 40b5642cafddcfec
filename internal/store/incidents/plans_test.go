package incidents_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
	"github.com/sendpromptly/sendpromptly/internal/store/incidents"
	"github.com/sendpromptly/sendpromptly/internal/store/projects"
	"github.com/sendpromptly/sendpromptly/internal/store/rooms"
)

// incidents makes n open incidents of failures.
func (s *shop) incidents(n int) (made []engine.Incident) {
	s.t.Helper()
	for i := range n {
		event := fmt.Sprint("evt_plan_", i)
		s.accept(engine.Acceptance{Key: credits(event), Version: "v1"})
		made = append(made, s.failed(credits(event), "boom"))
	}
	return made
}

func (s *shop) plan(r incidents.PlanRequest) incidents.Plan {
	s.t.Helper()
	return needs(s.st.Incidents.Plans.Create(s.t.Context(), "default", r, "ada"))(s.t)
}

func (s *shop) requireResults(p incidents.Plan, want map[string]int) incidents.Plan {
	s.t.Helper()
	now := needs(s.st.Incidents.Plans.Get(s.t.Context(), "default", p.ID))(s.t)
	if !maps.Equal(now.Results, want) {
		s.t.Errorf("results = %v, want %v", now.Results, want)
	}
	return now
}

// A plan acts on the set that was frozen, as it was then: what came later stays
// out, and what changed meanwhile is left alone and reported.
func TestAPlanActsOnTheFrozenSet(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	made := s.incidents(4)
	p := s.plan(incidents.PlanRequest{
		Action: "close", Filter: engine.IncidentFilter{Open: true, Version: "v1"},
		Note: "refunded",
	})
	if p.Size != 4 || p.Filter.Version != "v1" {
		t.Fatalf("plan = %+v", p)
	}
	s.requireResults(p, map[string]int{"waiting": 4})
	s.accept(engine.Acceptance{Key: credits("evt_later"), Version: "v1"})
	later := s.failed(credits("evt_later"), "boom")
	s.succeed(made[0].Key)
	needs(s.e.Reprocess(t.Context(), made[1].ID, "bob"))(t)
	if more, err := s.st.Incidents.Plans.Run(t.Context()); more || err != nil {
		t.Fatal(more, err)
	}
	s.requireResults(p, map[string]int{"waiting": 4})
	var field *engine.FieldError
	if _, err := s.st.Incidents.Plans.Start(
		t.Context(),
		"default",
		p.ID,
		3,
		"ada",
	); !errors.As(err, &field) ||
		field.Field != "count" {
		t.Fatalf("another count: %v", err)
	}
	needs(s.st.Incidents.Plans.Start(t.Context(), "default", p.ID, 4, "bob"))(t)
	if _, err := s.st.Incidents.Plans.Start(t.Context(), "default", p.ID, 4, "bob"); !errors.Is(err, incidents.ErrPlanBegun) {
		t.Errorf("a second start: %v", err)
	}
	var runners sync.WaitGroup
	for range 3 {
		runners.Go(func() { _, err := s.st.Incidents.Plans.Run(t.Context()); _ = needs(0, err)(t) })
	}
	runners.Wait()
	needs(s.st.Incidents.Plans.Run(t.Context()))(t)
	done := s.requireResults(p, map[string]int{"closed": 2, "changed": 2})
	if done.FinishedAt.IsZero() || done.StartedBy != "bob" || done.CreatedBy != "ada" {
		t.Errorf("plan = %+v", done)
	}
	if i := needs(s.e.Incident(t.Context(), later.ID))(t); i.State != engine.StateFailed {
		t.Errorf("what came later is %s", i.State)
	}
	if i := needs(s.e.Incident(t.Context(), made[3].ID))(t); i.ClosedBy != "bob" || i.Note != "refunded" {
		t.Errorf("closed by %s: %s", i.ClosedBy, i.Note)
	}
	s.RequireSound()
}

// A plan lets no more than its share of callbacks wait, goes on as they are
// answered, and ends early when an operator stops it.
func TestAPlanOfReprocessesBoundsItsCallbacks(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.incidents(20)
	p := s.plan(incidents.PlanRequest{Action: "reprocess", Filter: engine.IncidentFilter{Open: true}})
	needs(s.st.Incidents.Plans.Start(t.Context(), "default", p.ID, 20, "ada"))(t)
	for range 3 {
		needs(s.st.Incidents.Plans.Run(t.Context()))(t)
	}
	s.requireResults(p, map[string]int{"in_flight": 16, "waiting": 4})
	const answered = `SELECT i.incident_id::text FROM sendpromptly.incidents AS i WHERE i.state = 'reprocessing' LIMIT 1`
	var id string
	need(t, 0, s.Pool.QueryRow(t.Context(), answered).Scan(&id))
	s.succeed(needs(s.e.Incident(t.Context(), engine.IncidentID(id)))(t).Key)
	needs(s.st.Incidents.Plans.Run(t.Context()))(t)
	s.requireResults(p, map[string]int{"in_flight": 16, "waiting": 3, "applied": 1})
	stopped := needs(s.st.Incidents.Plans.Stop(t.Context(), "default", p.ID, "bob"))(t)
	if stopped.StoppedBy != "bob" || stopped.Results["stopped"] != 3 {
		t.Errorf("plan = %+v", stopped)
	}
	needs(s.st.Incidents.Plans.Run(t.Context()))(t)
	s.requireResults(p, map[string]int{"in_flight": 16, "stopped": 3, "applied": 1})
	s.RequireSound()
}

// An incident on which Postgres refuses to act ends as an error, with a note on its timeline, and holds up no other.
func TestAPoisonousIncidentNeverWedgesAPlan(t *testing.T) {
	t.Parallel()
	for action, want := range map[string]string{"reprocess": "in_flight", "close": "closed"} {
		t.Run(action, func(t *testing.T) {
			t.Parallel()
			s := newShop(t)
			made := s.incidents(3)
			s.exec(
				`CREATE FUNCTION public.poison() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'this row is poisonous'; ` +
					`END $$`,
			)
			s.exec(fmt.Sprintf(`CREATE TRIGGER poison BEFORE UPDATE ON sendpromptly.incidents FOR EACH ROW
				WHEN (OLD.incident_id = '%s') EXECUTE FUNCTION public.poison()`, made[0].ID))
			p := s.plan(incidents.PlanRequest{Action: action, Filter: engine.IncidentFilter{Open: true}, Note: "refunded"})
			needs(s.st.Incidents.Plans.Start(t.Context(), "default", p.ID, 3, "ada"))(t)
			needs(s.st.Incidents.Plans.Run(t.Context()))(t)
			if done := s.requireResults(p, map[string]int{"error": 1, want: 2}); done.FinishedAt.IsZero() {
				t.Error("the plan has not ended")
			}
			if n := s.count(fmt.Sprintf(`SELECT count(*) FROM sendpromptly.entries WHERE effect_id = '%s' AND kind = 'note'
				AND note = 'a plan could not act on the incident' AND error_message = 'this row is poisonous'`, made[0].EffectID)); n != 1 {
				t.Errorf("%d notes on its timeline", n)
			}
			if i := needs(s.e.Incident(t.Context(), made[0].ID))(t); i.State != engine.StateFailed {
				t.Errorf("the incident is %s", i.State)
			}
			s.RequireSound()
		})
	}
}

func TestWhatAPlanRefuses(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	open := engine.IncidentFilter{Open: true}
	for name, test := range map[string]struct {
		field   string
		request incidents.PlanRequest
	}{
		"an empty filter": {"filter", incidents.PlanRequest{Action: "reprocess"}},
		"everything ever": {"filter", incidents.PlanRequest{
			Action: "reprocess",
			Filter: engine.IncidentFilter{Provider: "stripe"},
		}},
		"what is applied": {"filter", incidents.PlanRequest{
			Action: "reprocess",
			Filter: engine.IncidentFilter{State: engine.StateApplied},
		}},
		"another action":     {"action", incidents.PlanRequest{Action: "delete", Filter: open}},
		"closing in silence": {"note", incidents.PlanRequest{Action: "close", Filter: open, Note: " "}},
		"a NUL":              {"note", incidents.PlanRequest{Action: "close", Filter: open, Note: "a\x00"}},
	} {
		var field *engine.FieldError
		if _, err := s.st.Incidents.Plans.Create(
			t.Context(),
			"default",
			test.request,
			"ada",
		); !errors.As(err, &field) ||
			field.Field != test.field {
			t.Errorf("%s: %v", name, err)
		}
	}
	needs(first3(s.st.Projects.Create(t.Context(), "other", projects.Settings{}, nil, "ada")))(t)
	p := s.plan(incidents.PlanRequest{Action: "reprocess", Filter: open})
	if _, err := s.st.Incidents.Plans.Get(t.Context(), "other", p.ID); !errors.Is(err, engine.ErrNotFound) {
		t.Errorf("of another project: %v", err)
	}
	if _, err := s.st.Incidents.Plans.Start(t.Context(), "other", p.ID, 0, "ada"); !errors.Is(err, engine.ErrNotFound) {
		t.Errorf("of another project: %v", err)
	}
	if plans := needs(s.st.Incidents.Plans.List(t.Context(), "default"))(t); len(plans) != 1 || plans[0].ID != p.ID {
		t.Errorf("plans = %+v", plans)
	}
}

// What a plan did is on the timelines and in the audit log: 90 days after it ended, or was made and never started, it goes.
func TestPlansLeaveAfter90Days(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.incidents(3)
	request := incidents.PlanRequest{Action: "close", Filter: engine.IncidentFilter{Open: true}, Note: "refunded"}
	forgotten, ended, running := s.plan(request), s.plan(request), s.plan(request)
	for _, p := range []incidents.Plan{ended, running} {
		needs(s.st.Incidents.Plans.Start(t.Context(), "default", p.ID, 3, "ada"))(t)
	}
	needs(s.st.Incidents.Plans.Stop(t.Context(), "default", ended.ID, "ada"))(t)
	s.Travel(90*24*time.Hour - time.Minute)
	needs(enginetest.Purge(t.Context(), s.e))(t)
	if n := s.count("SELECT count(*) FROM sendpromptly.plans"); n != 3 {
		t.Errorf("%d plans within 90 days, want 3", n)
	}
	s.Travel(2 * time.Minute)
	needs(enginetest.Purge(t.Context(), s.e))(t)
	for _, p := range []incidents.Plan{forgotten, ended} {
		if _, err := s.st.Incidents.Plans.Get(t.Context(), "default", p.ID); !errors.Is(err, engine.ErrNotFound) {
			t.Errorf("a plan is still there: %v", err)
		}
	}
	s.requireResults(running, map[string]int{"waiting": 3})
	if n := s.count("SELECT count(*) FROM sendpromptly.plan_items"); n != 3 {
		t.Errorf("%d incidents of plans, want those of the running one", n)
	}
}

// Two operators start a plan at once: the second is told so, whatever isolation level the database is set to.
func TestTheSecondStarterIsToldSoAtEveryIsolationLevel(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.incidents(1)
	p := s.plan(incidents.PlanRequest{Action: "close", Filter: engine.IncidentFilter{Open: true}, Note: "refunded"})
	s.exec(
		`DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_isolation = ''serializable''', ` +
			`current_database()); END $$`,
	)
	pool := needs(pgxpool.New(t.Context(), s.URL))(t)
	t.Cleanup(pool.Close)
	strict := needs(rooms.Open(pool, ""))(t)
	first := needs(s.Pool.Begin(t.Context()))(t)
	t.Cleanup(func() { _ = first.Rollback(context.WithoutCancel(t.Context())) })
	needs(first.Exec(t.Context(), "UPDATE sendpromptly.plans SET started_at = sendpromptly.clock(), started_by = 'bob'"))(t)
	ended := make(chan error, 1)
	go func() {
		_, err := strict.Incidents.Plans.Start(t.Context(), "default", p.ID, 1, "ada")
		ended <- err
	}()
	for end := time.Now().Add(20 * time.Second); s.count("SELECT count(*) FROM pg_stat_activity WHERE datname = "+
		"current_database() AND wait_event_type = 'Lock'") == 0; {
		if time.Now().After(end) {
			t.Fatal("the second does not wait for the first")
		}
	}
	need(t, 0, first.Commit(t.Context()))
	if err := <-ended; !errors.Is(err, incidents.ErrPlanBegun) {
		t.Errorf("the second starter: %v", err)
	}
}
