package engine

import (
	"context"
	"encoding/json"
	"time"

	"github.com/sendpromptly/sendpromptly/internal/dbsqlc"
	"github.com/sendpromptly/sendpromptly/internal/input"
	"github.com/sendpromptly/sendpromptly/internal/named"
)

// IncidentFilter selects incidents; what is zero selects all. Its JSON is how
// plans and saved views keep it.
//
// Term, Subject, Customer and Text find effects a moment after they were
// accepted. Where more than 10,000 effects share a term, the newest are looked at.
type IncidentFilter struct {
	// Open selects incidents that are failed, missing or reprocessing.
	Open bool `json:"open,omitempty"`
	// State selects incidents by the state that lists show: StateApplied those
	// that are resolved, StateClosed those that an operator closed, also where
	// a success came afterwards.
	State State `json:"state,omitempty"`
	Cause Cause `json:"cause,omitempty"`

	Provider  string `json:"provider,omitempty"`
	EventType string `json:"event_type,omitempty"`
	Effect    string `json:"effect,omitempty"`
	// Version is the app's deploy label.
	Version string `json:"version,omitempty"`

	// Term is a subject, a customer, a source event, one of the provider's object
	// ids, in any case, or the event's id as it is.
	Term string `json:"term,omitempty"`
	// Subject and Customer are whole, in any case.
	Subject  string `json:"subject,omitempty"`
	Customer string `json:"customer,omitempty"`

	// OpenedAfter and OpenedBefore bound when the incident opened first, to the
	// millisecond: from OpenedAfter on, before OpenedBefore.
	OpenedAfter  time.Time `json:"opened_after,omitzero"`
	OpenedBefore time.Time `json:"opened_before,omitzero"`

	// Text is a Term where one is known; else a part of the last error's code or
	// message, in any case.
	Text string `json:"text,omitempty"`

	// Before is where the page before this one ended; see [IncidentPage].
	Before IncidentID `json:"-"`
	// Limit is the size of the page: 50 by default, 500 at most.
	Limit int `json:"-"`
}

// IncidentPage is one page of incidents, newest first.
type IncidentPage struct {
	Incidents []Incident
	// Next is the Before of the next page, empty on the last. One page looks at
	// 10,000 incidents at most: where few of them fit it is short, or empty, and
	// goes on at Next.
	Next IncidentID
}

// pageWalk bounds the incidents that one page looks at.
const pageWalk = 10_000

// Incidents pages through the incidents of the engine's project, newest first.
func (e *Engine) Incidents(ctx context.Context, f IncidentFilter) (IncidentPage, error) {
	params, err := e.listParams(f)
	if err != nil {
		return IncidentPage{}, err
	}
	rows, err := e.queries.IncidentList(ctx, e.pool, params)
	if err != nil {
		return IncidentPage{}, named.Error("listing incidents", err)
	}
	var page IncidentPage
	limit := params.Page - 1
	if len(rows) > limit {
		rows = rows[:limit]
		page.Next = IncidentID(rows[limit-1].Incident.IncidentID)
	} else if f.picks() {
		end := dbsqlc.IncidentWalkEndParams{Project: params.Project, Before: params.Before, Walk: pageWalk, Filter: params.Filter}
		next, err := e.queries.IncidentWalkEnd(ctx, e.pool, end)
		if err != nil {
			return IncidentPage{}, named.Error("listing incidents", err)
		}
		page.Next = IncidentID(next)
	}
	for _, row := range rows {
		page.Incidents = append(page.Incidents, newIncident(row.Incident, row.Effect))
	}
	return page, nil
}

// picks says whether a page may end before it is full although more would fit.
func (f IncidentFilter) picks() bool {
	return f.State != "" || f.Cause != "" || f.Provider+f.EventType+f.Effect+f.Version+f.Text != ""
}

// Empty says whether the filter selects every incident there ever was.
func (f IncidentFilter) Empty() bool {
	f.Before, f.Limit = "", 0
	return f == IncidentFilter{}
}

// Validate returns a [*FieldError] where a list would be refused.
func (f IncidentFilter) Validate() error {
	if f.Limit < 0 || f.Limit > 500 {
		return &FieldError{"Limit", "must lie between 1 and 500"}
	}
	if f.Before != "" {
		if err := validID("Before", string(f.Before)); err != nil {
			return err
		}
	}
	for _, text := range []struct{ field, value string }{
		{"State", string(f.State)},
		{"Cause", string(f.Cause)},
		{"Provider", f.Provider},
		{"EventType", f.EventType},
		{"Effect", f.Effect},
		{"Version", f.Version},
		{"Term", f.Term},
		{"Subject", f.Subject},
		{"Customer", f.Customer},
		{"Text", f.Text},
	} {
		if err := validText(text.field, text.value, input.NameLimit); err != nil {
			return err
		}
	}
	for _, moment := range []struct {
		field string
		value time.Time
	}{{"OpenedAfter", f.OpenedAfter}, {"OpenedBefore", f.OpenedBefore}} {
		if moment.value.IsZero() {
			continue
		}
		if reason := input.Time(moment.value); reason != "" {
			return &FieldError{moment.field, reason}
		}
	}
	return nil
}

// listParams validates a filter. It asks for one row more than the page, which
// tells whether there is a next one.
func (e *Engine) listParams(f IncidentFilter) (dbsqlc.IncidentListParams, error) {
	params := dbsqlc.IncidentListParams{Project: e.cfg.Project, Before: input.LastID, Page: 51, Walk: pageWalk}
	if err := f.Validate(); err != nil {
		return params, err
	}
	if f.Limit > 0 {
		params.Page = f.Limit + 1
	}
	if f.Before != "" {
		params.Before = string(f.Before)
	}
	f.OpenedAfter, f.OpenedBefore = f.OpenedAfter.UTC(), f.OpenedBefore.UTC() // Postgres reads fewer offsets than Go
	filter, err := json.Marshal(f)
	params.Filter = string(filter)
	return params, err
}
