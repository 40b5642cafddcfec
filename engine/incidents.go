package engine

import (
	"context"
	"encoding/json"
	"time"

	"github.com/sendpromptly/sendpromptly/internal/dbsqlc"
	"github.com/sendpromptly/sendpromptly/internal/input"
	"github.com/sendpromptly/sendpromptly/internal/named"
)

// IncidentFilter selects incidents that match all its fields; a zero field matches all. Plans and
// saved views store it as JSON.
//
// Term, Subject, Customer and Text find an effect shortly after its receipt was committed. If more
// than 10,000 effects share a term, only the newest 10,000 are searched.
type IncidentFilter struct {
	// Open selects incidents that are failed, missing or reprocessing.
	Open bool `json:"open,omitempty"`
	// State selects incidents by the state that lists show. StateApplied selects resolved
	// incidents. StateClosed selects incidents that an operator closed, even if the effect
	// succeeded later.
	State State `json:"state,omitempty"`
	Cause Cause `json:"cause,omitempty"`

	Provider  string `json:"provider,omitempty"`
	EventType string `json:"event_type,omitempty"`
	Effect    string `json:"effect,omitempty"`
	// Version is the app's release or deploy label.
	Version string `json:"version,omitempty"`

	// Term is a whole subject, customer, source event or object id of the provider, in any case, or
	// the exact event id.
	Term string `json:"term,omitempty"`
	// Subject and Customer match the whole value, in any case.
	Subject  string `json:"subject,omitempty"`
	Customer string `json:"customer,omitempty"`

	// OpenedAfter (inclusive) and OpenedBefore (exclusive) bound the time at which the incident
	// first opened, to the millisecond.
	OpenedAfter  time.Time `json:"opened_after,omitzero"`
	OpenedBefore time.Time `json:"opened_before,omitzero"`

	// Text is a Term, if an effect with that term exists; otherwise it is a part of the last
	// error's code or message, in any case.
	Text string `json:"text,omitempty"`

	// Before is the Next of the page before this one; see [IncidentPage].
	Before IncidentID `json:"-"`
	// Limit is the page size: 50 by default, at most 500.
	Limit int `json:"-"`
}

// IncidentPage is one page of incidents, newest first.
type IncidentPage struct {
	Incidents []Incident
	// Next is the Before of the next page; it is empty on the last page. One page reads at most
	// 10,000 incidents. If few of them match, the page is short or even empty, and Next continues
	// from there.
	Next IncidentID
}

// pageWalk is how many incidents one page reads at most.
const pageWalk = 10_000

// Incidents returns one page of the incidents of the engine's project, newest first.
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

// picks reports whether a page may be short although more incidents match.
func (f IncidentFilter) picks() bool {
	return f.State != "" || f.Cause != "" || f.Provider+f.EventType+f.Effect+f.Version+f.Text != ""
}

// Empty reports whether the filter selects every incident.
func (f IncidentFilter) Empty() bool {
	f.Before, f.Limit = "", 0
	return f == IncidentFilter{}
}

// Validate returns a [*FieldError] if [Engine.Incidents] would refuse the filter.
func (f IncidentFilter) Validate() error {
	if f.Limit < 0 || f.Limit > 500 {
		return &FieldError{"Limit", "must be between 1 and 500"}
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

// listParams validates a filter. It reads one row more than the page, to know whether there is a
// next page.
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
