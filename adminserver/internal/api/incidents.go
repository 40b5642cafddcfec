package api

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/sendpromptly/sendpromptly/adminserver/internal/access"
	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/store"
)

// Incident is an incident as the API shows it.
type Incident struct {
	ID       string `json:"id" format:"uuid"`
	Revision int    `json:"revision" doc:"Grows with every change of state: the value of If-Match."`
	State    string `json:"state" enum:"failed,missing,reprocessing,applied,closed"`
	Cause    string `json:"cause" enum:"failed,missing"`
	Receipt
	OpenedAt     time.Time  `json:"opened_at"`
	DueAt        *time.Time `json:"due_at,omitempty" doc:"When the attempt in flight is given up."`
	ResolvedAt   *time.Time `json:"resolved_at,omitempty"`
	ClosedAt     *time.Time `json:"closed_at,omitempty"`
	ClosedBy     string     `json:"closed_by,omitempty"`
	Note         string     `json:"note,omitempty" doc:"Why it was closed."`
	Attempts     int        `json:"attempts" doc:"How often a repair was asked for."`
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
	EventType       string     `json:"event_type,omitempty"`
	EffectType      string     `json:"effect_type"`
	Reference       string     `json:"reference,omitempty" doc:"The app's user, account, workspace or order."`
	Customer        string     `json:"customer,omitempty"`
	Shop            string     `json:"shop,omitempty"`
	Amount          int64      `json:"amount,omitempty" doc:"In the currency's smallest unit."`
	Currency        string     `json:"currency,omitempty"`
	Version         string     `json:"version,omitempty" doc:"The app's deploy label."`
	Objects         []string   `json:"objects" doc:"The provider's ids that support holds in hand."`
	OccurredAt      *time.Time `json:"occurred_at,omitempty"`
	AcceptedAt      time.Time  `json:"accepted_at"`
	Deadline        time.Time  `json:"deadline" doc:"The first one, which never moves."`
}

func newReceipt(project string, id engine.EffectID, a engine.Acceptance, accepted, deadline time.Time) Receipt {
	return Receipt{Project: project, EffectID: string(id), Provider: a.Provider, ProviderEventID: a.EventID, EventType: a.EventType, EffectType: a.Effect,
		Reference: a.Subject, Customer: a.Customer, Shop: a.Shop, Amount: a.Amount.Minor, Currency: a.Amount.Currency, Version: a.Version,
		Objects: append([]string{}, a.Objects...), OccurredAt: at(a.OccurredAt), AcceptedAt: accepted.UTC(), Deadline: deadline.UTC()}
}

func newIncident(project string, i engine.Incident) Incident {
	return Incident{ID: string(i.ID), Revision: i.Revision, State: string(i.State), Cause: string(i.Cause),
		Receipt:  newReceipt(project, i.EffectID, i.Acceptance, i.AcceptedAt, i.Deadline),
		OpenedAt: i.OpenedAt.UTC(), DueAt: at(i.DueAt), ResolvedAt: at(i.ResolvedAt), ClosedAt: at(i.ClosedAt), ClosedBy: string(i.ClosedBy), Note: i.Note,
		Attempts: i.Attempt, ReplayID: i.ReplayID, ErrorCode: i.ErrorCode, ErrorMessage: i.ErrorMessage}
}

// FilterQuery is a filter in a query.
type FilterQuery struct {
	Open         bool      `query:"open" doc:"Only failed, missing and reprocessing ones."`
	State        string    `query:"state" enum:"failed,missing,reprocessing,applied,closed"`
	Cause        string    `query:"cause" enum:"failed,missing"`
	Provider     string    `query:"provider" maxLength:"64"`
	EventType    string    `query:"event_type" maxLength:"128"`
	EffectType   string    `query:"effect_type" maxLength:"64"`
	Version      string    `query:"version" maxLength:"128" doc:"The app's deploy label."`
	Term         string    `query:"term" maxLength:"255" doc:"A reference, a customer, one of the provider's object ids, in any case, or the event's id as it is."`
	Reference    string    `query:"reference" maxLength:"255" doc:"The whole reference, in any case."`
	Customer     string    `query:"customer" maxLength:"255" doc:"The whole customer id, in any case."`
	OpenedAfter  time.Time `query:"opened_after" doc:"From this moment on, to the millisecond."`
	OpenedBefore time.Time `query:"opened_before" doc:"Before this moment."`
	Text         string    `query:"text" maxLength:"255" doc:"A term where one is known; else a part of the last error's code or message."`
}

func (f FilterQuery) filter() engine.IncidentFilter {
	return engine.IncidentFilter{Open: f.Open, State: engine.State(f.State), Cause: engine.Cause(f.Cause), Provider: f.Provider, EventType: f.EventType,
		Effect: f.EffectType, Version: f.Version, Term: f.Term, Subject: f.Reference, Customer: f.Customer,
		OpenedAfter: f.OpenedAfter.UTC(), OpenedBefore: f.OpenedBefore.UTC(), Text: f.Text}
}

type incidentsInput struct {
	InProject
	FilterQuery
	Cursor string `query:"cursor" maxLength:"36" doc:"next_cursor of the page before."`
	Limit  int    `query:"limit" minimum:"1" maximum:"500" default:"50"`
}

// IncidentPage is one page of incidents, newest first.
type IncidentPage struct {
	Incidents  []Incident `json:"incidents"`
	NextCursor string     `json:"next_cursor,omitempty" doc:"Absent on the last page. One page looks at 10,000 incidents at most: where few of them fit it is short, or empty, and goes on here."`
}

// IncidentCount is how many incidents a filter selects.
type IncidentCount struct {
	Count  int  `json:"count"`
	Capped bool `json:"capped" doc:"There may be more: it looks at the newest 100,000 incidents where only state, cause and time are asked for, at the newest 10,000 otherwise."`
}

// IncidentPath is the incident of a path.
type IncidentPath struct {
	ID string `path:"id" maxLength:"36" doc:"The incident."`
}

// reply is an answer of a body alone.
type reply[T any] struct{ Body T }

type incidentReply struct {
	ETag string `header:"ETag" doc:"The incident's revision, for If-Match."`
	Body Incident
}

func etag(revision int) string { return `"` + strconv.Itoa(revision) + `"` }

func incidents(r *room) {
	line := operation{method: http.MethodGet, path: "/incidents", id: "incidents-list", tag: "Incidents", role: access.Viewer,
		title: "List incidents, newest first", errors: []int{http.StatusNotFound}}
	add(r, line, func(ctx context.Context, in *incidentsInput) (*reply[IncidentPage], error) {
		project, e, err := r.engineFor(ctx, in.Project)
		if err != nil {
			return nil, err
		}
		f := in.filter()
		f.Before, f.Limit = engine.IncidentID(in.Cursor), in.Limit
		page, err := e.Incidents(ctx, f)
		made := list(page.Incidents, func(i engine.Incident) Incident { return newIncident(project, i) })
		return &reply[IncidentPage]{IncidentPage{made, string(page.Next)}}, err
	})
	line.path, line.id, line.title = "/incidents/count", "incidents-count", "Count incidents, up to a bound"
	add(r, line, func(ctx context.Context, in *struct {
		InProject
		FilterQuery
	}) (*reply[IncidentCount], error) {
		project, err := r.project(ctx, in.Project)
		if err != nil {
			return nil, err
		}
		n, capped, err := r.Store.IncidentCount(ctx, project, in.filter(), store.CountCap)
		return &reply[IncidentCount]{IncidentCount{n, capped}}, err
	})
	line.path, line.id, line.title = "/incidents/{id}", "incidents-get", "Read an incident"
	add(r, line, func(ctx context.Context, in *IncidentPath) (*incidentReply, error) {
		project, e, err := r.incidentIn(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		i, err := e.Incident(ctx, engine.IncidentID(in.ID))
		return &incidentReply{etag(i.Revision), newIncident(project, i)}, err
	})
	timeline(r, line)
}
