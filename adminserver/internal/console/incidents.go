package console

import (
	"net/http"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/store/incidents"
	"github.com/sendpromptly/sendpromptly/internal/wire"
)

// rowsShown is how long a page of the list is.
const rowsShown = 50

// incidentsPage is one page of the list.
type incidentsPage struct {
	Rows   []incidentRow
	Filter filter
	Tabs   []tab
	Views  []view
	// Older is the link to the next page, "" on the last; First says that this
	// is the first.
	Older string
	First bool
	// Count is how many match; if Capped, at least that many.
	Count  int
	Capped bool
	// Actions are the bulk actions on all that match.
	Actions []string
}

// incidentRow is an incident in the list.
type incidentRow struct {
	engine.Incident
	Story story
}

// Shown is the incident's state as the page shows it.
func (r incidentRow) Shown() string { return shown(r.Incident) }

// shown is an incident's state: resolved if its effect is applied, unless it was closed before.
func shown(i engine.Incident) string {
	state, _ := wire.IncidentState(i)
	return state
}

// tab is a choice above the list.
type tab struct {
	Name, Link string
	Here       bool
}

// shows are the tabs.
var shows = []string{"open", "failed", "missing", "reprocessing", "resolved", "closed", "all"}

// incidents lists incidents, newest first.
func (c *console) incidents(v *visit) error {
	f, err := readFilter(v.r.URL.Query())
	if err != nil {
		return err
	}
	asked := f.asked()
	asked.Limit = rowsShown
	found, err := v.engine.Incidents(v.ctx(), asked)
	if err != nil {
		return err
	}
	data := incidentsPage{Filter: f, First: f.Before == ""}
	if data.Count, data.Capped, err = v.matching(asked, found); err != nil {
		return err
	}
	if data.Views, err = v.views(f); err != nil {
		return err
	}
	for _, i := range found.Incidents {
		data.Rows = append(data.Rows, incidentRow{i, tell(i.Acceptance, i.State, i.Cause, i.ErrorMessage)})
	}
	if found.Next != "" {
		data.Older = v.link("/incidents", append(f.Values(), "before", string(found.Next))...)
	}
	for _, show := range shows {
		to := f
		to.Show = show
		data.Tabs = append(data.Tabs, tab{show, v.link("/incidents", to.Values()...), show == f.Show})
	}
	switch f.Show {
	case "open", "failed", "missing":
		data.Actions = []string{"reprocess", "close"}
	case "closed":
		data.Actions = []string{"reprocess"}
	}
	return v.render(http.StatusOK, "incidents", page{Title: "Incidents", Nav: "Incidents", Live: true, Data: data})
}

// matching is how many incidents match; if capped, at least that many. A first page that is not full has read
// as far as a count does, so it knows.
func (v *visit) matching(asked engine.IncidentFilter, found engine.IncidentPage) (n int, capped bool, err error) {
	if asked.Before == "" && len(found.Incidents) < asked.Limit {
		return len(found.Incidents), found.Next != "", nil
	}
	return v.Incidents.Count(v.ctx(), v.project, asked, incidents.QuickCount)
}
