package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/engine/internal/dbsqlc"
)

// IncidentID identifies one incident: a UUID in its text form.
type IncidentID string

// State is the state of an effect, and of its incident where it has one.
type State string

// The states. An incident is open exactly while its effect is failed, missing
// or reprocessing. Failed and missing are also the two causes.
const (
	StateAwaiting     State = "awaiting"
	StateApplied      State = "applied"
	StateFailed       State = "failed"
	StateMissing      State = "missing"
	StateReprocessing State = "reprocessing"
	StateClosed       State = "closed"
)

// Open says whether an incident in this state is open.
func (s State) Open() bool { return s == StateFailed || s == StateMissing || s == StateReprocessing }

// Incident is an owed effect that the customer does not have, or did not have
// for a while. An effect has at most one for ever: it reopens.
type Incident struct {
	ID       IncidentID
	EffectID EffectID
	// Acceptance is what was recorded when the app took the work on, without
	// the payload; Timeout is the one that held.
	Acceptance
	AcceptedAt time.Time
	// Deadline is the first one, which never moves.
	Deadline time.Time

	State State
	// Cause is StateFailed or StateMissing: why it is open, or last was.
	Cause    State
	OpenedAt time.Time
	// DueAt is when the current attempt is given up; zero unless reprocessing.
	DueAt time.Time
	// ResolvedAt is when a success resolved it; zero while open and where an
	// operator had closed it before.
	ResolvedAt time.Time
	// ClosedAt, ClosedBy and Note are set once an operator closed it; the note stays after a reopening.
	ClosedAt time.Time
	ClosedBy Operator
	Note     string
	// Attempt counts the reprocesses; ReplayID is the last one's.
	Attempt  int
	ReplayID string
	// ErrorCode and ErrorMessage are the last failure's.
	ErrorCode    string
	ErrorMessage string
	// Revision grows with every change of state, for "act only if unchanged".
	Revision int
}

// Incident reads one incident of the engine's project, or [ErrNotFound].
func (e *Engine) Incident(ctx context.Context, id IncidentID) (Incident, error) {
	if err := validID("id", string(id)); err != nil {
		return Incident{}, err
	}
	row, err := e.queries.IncidentGet(ctx, e.pool, dbsqlc.IncidentGetParams{Project: e.cfg.Project, IncidentID: string(id)})
	if errors.Is(err, pgx.ErrNoRows) {
		return Incident{}, fmt.Errorf("%w: incident %s", ErrNotFound, id)
	}
	if err != nil {
		return Incident{}, err
	}
	return newIncident(row.Incident, row.Effect), nil
}

// IncidentFilter selects incidents; what is zero selects all. Term is a
// subject, a customer or one of the provider's object ids, in any case; it
// finds effects a moment after they were accepted.
type IncidentFilter struct {
	// Open selects incidents that are failed, missing or reprocessing.
	Open  bool
	State State
	Cause State

	Provider, EventType, Effect string
	Term                        string

	// Before is where the page before this one ended; see [IncidentPage].
	Before IncidentID
	// Limit is the size of the page: 50 by default, 500 at most.
	Limit int
}

// IncidentPage is one page of incidents, newest first.
type IncidentPage struct {
	Incidents []Incident
	// Next is the Before of the next page, empty on the last.
	Next IncidentID
}

const lastID = "ffffffff-ffff-ffff-ffff-ffffffffffff"

// Incidents pages through the incidents of the engine's project, newest first.
func (e *Engine) Incidents(ctx context.Context, f IncidentFilter) (IncidentPage, error) {
	params, err := e.listParams(f)
	if err != nil {
		return IncidentPage{}, err
	}
	rows, err := e.queries.IncidentList(ctx, e.pool, params)
	if err != nil {
		return IncidentPage{}, err
	}
	var page IncidentPage
	if limit := params.Page - 1; len(rows) > limit {
		rows = rows[:limit]
		page.Next = IncidentID(rows[limit-1].Incident.IncidentID)
	}
	for _, row := range rows {
		page.Incidents = append(page.Incidents, newIncident(row.Incident, row.Effect))
	}
	return page, nil
}

// listParams validates a filter. It asks for one row more than the page, which
// tells whether there is a next one.
func (e *Engine) listParams(f IncidentFilter) (dbsqlc.IncidentListParams, error) {
	params := dbsqlc.IncidentListParams{Project: e.cfg.Project, Before: lastID, Page: 51,
		OnlyOpen: f.Open || f.State.Open(), Term: optional(f.Term),
		State: optional(string(f.State)), Cause: optional(string(f.Cause)), Provider: optional(f.Provider),
		EventType: optional(f.EventType), Effect: optional(f.Effect)}
	if f.Limit < 0 || f.Limit > 500 {
		return params, &FieldError{"Limit", "must lie between 1 and 500"}
	}
	if f.Limit > 0 {
		params.Page = f.Limit + 1
	}
	if f.Before != "" {
		if err := validID("Before", string(f.Before)); err != nil {
			return params, err
		}
		params.Before = string(f.Before)
	}
	for _, text := range []struct{ field, value string }{
		{"State", string(f.State)}, {"Cause", string(f.Cause)}, {"Provider", f.Provider},
		{"EventType", f.EventType}, {"Effect", f.Effect}, {"Term", f.Term},
	} {
		if err := validText(text.field, text.value, 255); err != nil {
			return params, err
		}
	}
	return params, nil
}

func newIncident(i dbsqlc.Incident, f dbsqlc.Effect) Incident {
	return Incident{
		ID: IncidentID(i.IncidentID), EffectID: EffectID(i.EffectID), Acceptance: newAcceptance(f),
		AcceptedAt: f.AcceptedAt, Deadline: f.Deadline,
		State: State(i.State), Cause: State(i.Cause), OpenedAt: i.OpenedAt, DueAt: value(i.DueAt),
		ResolvedAt: value(i.ResolvedAt), ClosedAt: value(i.ClosedAt), ClosedBy: Operator(value(i.ClosedBy)), Note: value(i.Note),
		Attempt: i.Attempt, ReplayID: value(i.ReplayID), ErrorCode: value(i.ErrorCode), ErrorMessage: value(i.ErrorMessage),
		Revision: i.Version,
	}
}

func newAcceptance(f dbsqlc.Effect) Acceptance {
	return Acceptance{
		Key:       Key{Provider: f.Provider, EventID: f.EventID, Effect: f.Effect},
		EventType: value(f.EventType), Subject: value(f.Subject), Shop: value(f.Shop), OccurredAt: value(f.OccurredAt),
		Timeout: f.Deadline.Sub(f.AcceptedAt), Amount: Money{Amount: value(f.Amount), Currency: value(f.Currency)},
		Customer: value(f.Customer), Version: value(f.Version), Objects: f.Objects,
	}
}
