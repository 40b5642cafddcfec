package console

import (
	"net/http"
	"net/url"

	"github.com/sendpromptly/sendpromptly/engine"
)

// incidentsPage is one page of the list.
type incidentsPage struct {
	Rows   []incidentRow
	Filter filter
	Tabs   []tab
	// Older is the link to the next page, "" on the last.
	Older string
	First bool
}

// incidentRow is an incident in the list.
type incidentRow struct {
	engine.Incident
	Story story
}

// tab is a choice above the list.
type tab struct {
	Name, Link string
	Here       bool
}

// filter is the list's filter as it stands in the URL.
type filter struct {
	// Show is open (the default), a state, or all.
	Show                               string
	Cause, Provider, EventType, Effect string
	Q                                  string
	Before                             string
}

// readFilter reads a filter from a query or a form.
func readFilter(q url.Values) filter {
	f := filter{Show: q.Get("show"), Cause: q.Get("cause"), Provider: q.Get("provider"), EventType: q.Get("event_type"), Effect: q.Get("effect"),
		Q: q.Get("q"), Before: q.Get("before")}
	if f.Show == "" {
		f.Show = "open"
	}
	return f
}

// values are the filter's names and values for a link.
func (f filter) values() []string {
	show := f.Show
	if show == "open" {
		show = ""
	}
	return []string{"show", show, "cause", f.Cause, "provider", f.Provider, "event_type", f.EventType, "effect", f.Effect, "q", f.Q}
}

// Narrow says whether anything but the tab is chosen.
func (f filter) Narrow() bool {
	return f.Cause != "" || f.Provider != "" || f.EventType != "" || f.Effect != "" || f.Q != ""
}

// Detailed says whether one of the fields behind "More filters" is in use.
func (f filter) Detailed() bool {
	return f.Cause != "" || f.Provider != "" || f.EventType != "" || f.Effect != ""
}

// incidents is what the engine is asked.
func (f filter) incidents() engine.IncidentFilter {
	asked := engine.IncidentFilter{Cause: engine.State(f.Cause), Provider: f.Provider, EventType: f.EventType, Effect: f.Effect, Term: f.Q,
		Before: engine.IncidentID(f.Before)}
	switch f.Show {
	case "open":
		asked.Open = true
	case "all":
	default:
		asked.State = engine.State(f.Show)
	}
	return asked
}

// incidents lists incidents, newest first.
func (c *console) incidents(v *visit) error {
	f := readFilter(v.r.URL.Query())
	found, err := v.engine.Incidents(v.ctx(), f.incidents())
	if err != nil {
		return err
	}
	data := incidentsPage{Filter: f, First: f.Before == ""}
	for _, i := range found.Incidents {
		data.Rows = append(data.Rows, incidentRow{i, tell(i.Acceptance, i.State, i.Cause, i.ErrorMessage)})
	}
	if found.Next != "" {
		data.Older = v.link("/incidents", append(f.values(), "before", string(found.Next))...)
	}
	for _, show := range []string{"open", "failed", "missing", "reprocessing", "applied", "closed", "all"} {
		to := f
		to.Show = show
		data.Tabs = append(data.Tabs, tab{show, v.link("/incidents", to.values()...), show == f.Show})
	}
	return v.render(http.StatusOK, "incidents", page{Title: "Incidents", Nav: "Incidents", Live: true, Data: data})
}
