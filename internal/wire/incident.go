// Package wire has the answers of the admin API, which spadmin prints with --json: one set of structs, so
// that both have the same shape and names.
package wire

import (
	"time"

	"github.com/sendpromptly/sendpromptly/engine"
)

// Incident is an incident as the API shows it.
type Incident struct {
	ID         string `json:"id" format:"uuid"`
	Revision   int    `json:"revision" doc:"Grows with every change of state. Send it in If-Match."`
	State      string `json:"state" enum:"failed,missing,reprocessing,resolved,closed"`
	Resolution string `json:"resolution,omitempty" enum:"applied" doc:"The state of the effect. A closed incident has a resolution after a late success."`
	Cause      string `json:"cause" enum:"failed,missing,unreceived"`
	Receipt
	OpenedAt     time.Time  `json:"opened_at"`
	DueAt        *time.Time `json:"due_at,omitempty" doc:"When the attempt in flight is given up."`
	ResolvedAt   *time.Time `json:"resolved_at,omitempty"`
	ClosedAt     *time.Time `json:"closed_at,omitempty"`
	ClosedBy     string     `json:"closed_by,omitempty"`
	Note         string     `json:"note,omitempty" doc:"Why it was closed."`
	Attempts     int        `json:"attempts" doc:"How many repairs were requested."`
	ReplayID     string     `json:"replay_id,omitempty"`
	ErrorCode    string     `json:"error_code,omitempty"`
	ErrorMessage string     `json:"error_message,omitempty"`
}

// Receipt is what was accepted.
type Receipt struct {
	Project         string     `json:"project"`
	EffectID        string     `json:"effect_id" format:"uuid"`
	Provider        string     `json:"provider"`
	ProviderEventID string     `json:"provider_event_id"`
	SourceEventID   string     `json:"source_event_id,omitempty" doc:"The provider's event, if provider_event_id names an object."`
	EventType       string     `json:"event_type,omitempty"`
	EffectType      string     `json:"effect_type"`
	Reference       string     `json:"reference,omitempty" doc:"The app's user, account, workspace or order."`
	Customer        string     `json:"customer,omitempty"`
	Merchant        string     `json:"merchant,omitempty" doc:"Whose payment it is: a shop domain or a connected account."`
	Amount          *int64     `json:"amount" doc:"In the currency's smallest unit; null if it is unknown."`
	Currency        string     `json:"currency,omitempty"`
	Version         string     `json:"version,omitempty" doc:"The app's deploy label."`
	Objects         []string   `json:"objects" doc:"Other ids of the provider, for searching."`
	OccurredAt      *time.Time `json:"occurred_at,omitempty"`
	AcceptedAt      time.Time  `json:"accepted_at"`
	Deadline        time.Time  `json:"deadline" doc:"The first deadline. It never changes."`
}

// NewReceipt is the receipt of an effect of a project.
func NewReceipt(project string, id engine.EffectID, a engine.Acceptance, accepted, deadline time.Time) Receipt {
	return Receipt{
		Project:         project,
		EffectID:        string(id),
		Provider:        a.Provider,
		ProviderEventID: a.EventID,
		SourceEventID:   a.SourceEvent,
		EventType:       a.EventType,
		EffectType:      a.Effect,
		Reference:       a.Subject,
		Customer:        a.Customer,
		Merchant:        a.Merchant,
		Amount:          amount(a.Amount),
		Currency:        a.Amount.Currency,
		Version:         a.Version,
		Objects:         append([]string{}, a.Objects...),
		OccurredAt:      At(a.OccurredAt),
		AcceptedAt:      accepted.UTC(),
		Deadline:        deadline.UTC(),
	}
}

func amount(m engine.Money) *int64 {
	if !m.Known() {
		return nil
	}
	return &m.Minor
}

// NewIncident is an incident of a project.
func NewIncident(project string, i engine.Incident) Incident {
	state, resolution := IncidentState(i)
	return Incident{
		ID:           string(i.ID),
		Revision:     i.Revision,
		State:        state,
		Resolution:   resolution,
		Cause:        string(i.Cause),
		Receipt:      NewReceipt(project, i.EffectID, i.Acceptance, i.AcceptedAt, i.Deadline),
		OpenedAt:     i.OpenedAt.UTC(),
		DueAt:        At(i.DueAt),
		ResolvedAt:   At(i.ResolvedAt),
		ClosedAt:     At(i.ClosedAt),
		ClosedBy:     string(i.ClosedBy),
		Note:         i.Note,
		Attempts:     i.Attempt,
		ReplayID:     i.ReplayID,
		ErrorCode:    i.ErrorCode,
		ErrorMessage: i.ErrorMessage,
	}
}

// Resolved is the state of an incident whose effect is applied. An effect is applied; an incident is
// resolved.
const Resolved = "resolved"

// IncidentState is an incident's state and its resolution. An incident that was closed before a success stays
// closed, and also has a resolution.
func IncidentState(i engine.Incident) (state, resolution string) {
	switch {
	case i.State != engine.StateApplied:
		return string(i.State), ""
	case i.ResolvedAt.IsZero():
		return string(engine.StateClosed), string(engine.StateApplied)
	}
	return Resolved, string(engine.StateApplied)
}

// StateAfter is the same after an action. An action never resolves an incident and never closes a resolved
// one: an incident that was closed before its success is still closed.
func StateAfter(before engine.Incident, now engine.State) (state, resolution string) {
	was, _ := IncidentState(before)
	switch {
	case now != engine.StateApplied:
		return string(now), ""
	case was == string(engine.StateClosed):
		return was, string(engine.StateApplied)
	}
	return Resolved, string(engine.StateApplied)
}

// State is the state that a filter selects, for the engine.
func State(wire string) engine.State {
	if wire == Resolved {
		return engine.StateApplied
	}
	return engine.State(wire)
}

// StateName is the name of an incident's state if nothing else is known about the incident.
func StateName(s engine.State) string {
	if s == engine.StateApplied {
		return Resolved
	}
	return string(s)
}

// IncidentPage is one page of incidents, newest first.
type IncidentPage struct {
	Incidents  []Incident `json:"incidents"`
	NextCursor string     `json:"next_cursor,omitempty" doc:"Absent on the last page. One page reads at most 10,000 incidents. If few of them match, the page is short or empty; continue with this cursor."`
}

// NewIncidentPage is a page of incidents of a project.
func NewIncidentPage(project string, p engine.IncidentPage) IncidentPage {
	return IncidentPage{
		Incidents:  List(p.Incidents, func(i engine.Incident) Incident { return NewIncident(project, i) }),
		NextCursor: string(p.Next),
	}
}

// Acted is the result of an action.
type Acted struct {
	ID          string     `json:"id" format:"uuid"`
	State       string     `json:"state" enum:"failed,missing,reprocessing,resolved,closed"`
	Resolution  string     `json:"resolution,omitempty" enum:"applied"`
	Revision    int        `json:"revision"`
	Attempt     int        `json:"attempt,omitempty" doc:"The number of the new attempt."`
	ReplayID    string     `json:"replay_id,omitempty"`
	RequestedAt *time.Time `json:"requested_at,omitempty"`
	DueAt       *time.Time `json:"due_at,omitempty" doc:"When the attempt is given up if no outcome arrives."`
}
