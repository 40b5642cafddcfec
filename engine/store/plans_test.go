package store_test

import (
	"errors"
	"fmt"
	"maps"
	"sync"
	"testing"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/store"
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

func (s *shop) plan(r store.PlanRequest) store.Plan {
	s.t.Helper()
	return needs(s.st.CreatePlan(s.t.Context(), "default", r, "ada"))(s.t)
}

func (s *shop) requireResults(p store.Plan, want map[string]int) store.Plan {
	s.t.Helper()
	now := needs(s.st.Plan(s.t.Context(), "default", p.ID))(s.t)
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
	p := s.plan(store.PlanRequest{Action: "close", Filter: engine.IncidentFilter{Open: true, Version: "v1"}, Note: "refunded"})
	if p.Size != 4 || p.Filter.Version != "v1" {
		t.Fatalf("plan = %+v", p)
	}
	s.requireResults(p, map[string]int{"waiting": 4})
	s.accept(engine.Acceptance{Key: credits("evt_later"), Version: "v1"})
	later := s.failed(credits("evt_later"), "boom")
	s.succeed(made[0].Key)
	needs(s.e.Reprocess(t.Context(), made[1].ID, "bob"))(t)
	if more, err := s.st.RunPlans(t.Context()); more || err != nil {
		t.Fatal(more, err)
	}
	s.requireResults(p, map[string]int{"waiting": 4})
	var field *engine.FieldError
	if _, err := s.st.StartPlan(t.Context(), "default", p.ID, 3, "ada"); !errors.As(err, &field) || field.Field != "count" {
		t.Fatalf("another count: %v", err)
	}
	needs(s.st.StartPlan(t.Context(), "default", p.ID, 4, "bob"))(t)
	var refused *engine.RefusedError
	if _, err := s.st.StartPlan(t.Context(), "default", p.ID, 4, "bob"); !errors.As(err, &refused) {
		t.Errorf("a second start: %v", err)
	}
	var runners sync.WaitGroup
	for range 3 {
		runners.Go(func() { _, err := s.st.RunPlans(t.Context()); _ = needs(0, err)(t) })
	}
	runners.Wait()
	needs(s.st.RunPlans(t.Context()))(t)
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
	p := s.plan(store.PlanRequest{Action: "reprocess", Filter: engine.IncidentFilter{Open: true}})
	needs(s.st.StartPlan(t.Context(), "default", p.ID, 20, "ada"))(t)
	for range 3 {
		needs(s.st.RunPlans(t.Context()))(t)
	}
	s.requireResults(p, map[string]int{"in_flight": 16, "waiting": 4})
	const answered = `SELECT i.incident_id::text FROM sendpromptly.incidents AS i WHERE i.state = 'reprocessing' LIMIT 1`
	var id string
	need(t, 0, s.Pool.QueryRow(t.Context(), answered).Scan(&id))
	s.succeed(needs(s.e.Incident(t.Context(), engine.IncidentID(id)))(t).Key)
	needs(s.st.RunPlans(t.Context()))(t)
	s.requireResults(p, map[string]int{"in_flight": 16, "waiting": 3, "applied": 1})
	stopped := needs(s.st.StopPlan(t.Context(), "default", p.ID, "bob"))(t)
	if stopped.StoppedBy != "bob" || stopped.Results["stopped"] != 3 {
		t.Errorf("plan = %+v", stopped)
	}
	needs(s.st.RunPlans(t.Context()))(t)
	s.requireResults(p, map[string]int{"in_flight": 16, "stopped": 3, "applied": 1})
	s.RequireSound()
}

func TestWhatAPlanRefuses(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	open := engine.IncidentFilter{Open: true}
	for name, test := range map[string]struct {
		field   string
		request store.PlanRequest
	}{
		"an empty filter":    {"filter", store.PlanRequest{Action: "reprocess"}},
		"everything ever":    {"filter", store.PlanRequest{Action: "reprocess", Filter: engine.IncidentFilter{Provider: "stripe"}}},
		"what is applied":    {"filter", store.PlanRequest{Action: "reprocess", Filter: engine.IncidentFilter{State: engine.StateApplied}}},
		"another action":     {"action", store.PlanRequest{Action: "delete", Filter: open}},
		"closing in silence": {"note", store.PlanRequest{Action: "close", Filter: open, Note: " "}},
		"a NUL":              {"note", store.PlanRequest{Action: "close", Filter: open, Note: "a\x00"}},
	} {
		var field *engine.FieldError
		if _, err := s.st.CreatePlan(t.Context(), "default", test.request, "ada"); !errors.As(err, &field) || field.Field != test.field {
			t.Errorf("%s: %v", name, err)
		}
	}
	needs(first3(s.st.CreateProject(t.Context(), "other", store.ProjectSettings{}, nil, "ada")))(t)
	p := s.plan(store.PlanRequest{Action: "reprocess", Filter: open})
	if _, err := s.st.Plan(t.Context(), "other", p.ID); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("of another project: %v", err)
	}
	if _, err := s.st.StartPlan(t.Context(), "other", p.ID, 0, "ada"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("of another project: %v", err)
	}
	if plans := needs(s.st.Plans(t.Context(), "default"))(t); len(plans) != 1 || plans[0].ID != p.ID {
		t.Errorf("plans = %+v", plans)
	}
}

func TestSavedViewsKeepAFilterByName(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	first := needs(s.st.SaveView(t.Context(), "default", "night", engine.IncidentFilter{Open: true, Provider: "stripe"}, "ada"))(t)
	again := needs(s.st.SaveView(t.Context(), "default", "night", engine.IncidentFilter{Open: true}, "bob"))(t)
	views := needs(s.st.SavedViews(t.Context(), "default"))(t)
	if len(views) != 1 || views[0].ID != first.ID || again.ID != first.ID || views[0].Filter != (engine.IncidentFilter{Open: true}) || views[0].CreatedBy != "bob" {
		t.Errorf("views = %+v", views)
	}
	needs(first3(s.st.CreateProject(t.Context(), "other", store.ProjectSettings{}, nil, "ada")))(t)
	if err := s.st.DeleteView(t.Context(), "other", first.ID); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("of another project: %v", err)
	}
	need(t, 0, s.st.DeleteView(t.Context(), "default", first.ID))
	if views := needs(s.st.SavedViews(t.Context(), "default"))(t); len(views) != 0 {
		t.Errorf("views = %+v", views)
	}
}
