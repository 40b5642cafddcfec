package incidents_test

import (
	"errors"
	"testing"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/store/projects"
)

func TestSavedViewsKeepAFilterByName(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	first := needs(
		s.st.Incidents.Views.Save(t.Context(), "default", "night", engine.IncidentFilter{Open: true, Provider: "stripe"}, "ada"),
	)(
		t,
	)
	again := needs(s.st.Incidents.Views.Save(t.Context(), "default", "night", engine.IncidentFilter{Open: true}, "bob"))(t)
	views := needs(s.st.Incidents.Views.List(t.Context(), "default"))(t)
	if len(views) != 1 || views[0].ID != first.ID || again.ID != first.ID ||
		views[0].Filter != (engine.IncidentFilter{Open: true}) ||
		views[0].CreatedBy != "bob" {
		t.Errorf("views = %+v", views)
	}
	needs(first3(s.st.Projects.Create(t.Context(), "other", projects.Settings{}, nil, "ada")))(t)
	if err := s.st.Incidents.Views.Delete(t.Context(), "other", first.ID, "ada"); !errors.Is(err, engine.ErrNotFound) {
		t.Errorf("of another project: %v", err)
	}
	need(t, 0, s.st.Incidents.Views.Delete(t.Context(), "default", first.ID, "ada"))
	if views := needs(s.st.Incidents.Views.List(t.Context(), "default"))(t); len(views) != 0 {
		t.Errorf("views = %+v", views)
	}
}
