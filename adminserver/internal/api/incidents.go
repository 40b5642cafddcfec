package api

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/sendpromptly/sendpromptly/adminserver/internal/identity"
	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/input"
	"github.com/sendpromptly/sendpromptly/internal/store/incidents"
	"github.com/sendpromptly/sendpromptly/internal/wire"
)

// FilterQuery is a filter in a query.
type FilterQuery struct {
	Open         bool      `query:"open" doc:"Only failed, missing and reprocessing incidents."`
	State        string    `query:"state" enum:"failed,missing,reprocessing,resolved,closed" doc:"The incident's state."`
	Cause        string    `query:"cause" enum:"failed,missing,unreceived"`
	Provider     string    `query:"provider" maxLength:"64"`
	EventType    string    `query:"event_type" maxLength:"128"`
	EffectType   string    `query:"effect_type" maxLength:"64"`
	Version      string    `query:"version" maxLength:"128" doc:"The app's deploy label."`
	Term         string    `query:"term" maxLength:"255" doc:"A reference, customer, source event or one of the provider's object ids, in upper or lower case, or the exact provider_event_id."`
	Reference    string    `query:"reference" maxLength:"255" doc:"The whole reference, in upper or lower case."`
	Customer     string    `query:"customer" maxLength:"255" doc:"The whole customer id, in upper or lower case."`
	OpenedAfter  time.Time `query:"opened_after" doc:"At or after this time, to the millisecond."`
	OpenedBefore time.Time `query:"opened_before" doc:"Before this time."`
	Text         string    `query:"text" maxLength:"255" doc:"An id if it is a known term; otherwise a part of the last error's code or message."`
}

// filter converts to the engine's filter. The times are checked here because their offsets are still those of
// the request.
func (f FilterQuery) filter() (engine.IncidentFilter, error) {
	for _, bound := range []struct {
		field string
		at    time.Time
	}{{"opened_after", f.OpenedAfter}, {"opened_before", f.OpenedBefore}} {
		if reason := input.Time(bound.at); reason != "" && !bound.at.IsZero() {
			return engine.IncidentFilter{}, &engine.FieldError{Field: bound.field, Reason: reason}
		}
	}
	return engine.IncidentFilter{
		Open: f.Open, State: wire.State(f.State), Cause: engine.Cause(f.Cause), Provider: f.Provider, EventType: f.EventType,
		Effect: f.EffectType, Version: f.Version, Term: f.Term, Subject: f.Reference, Customer: f.Customer,
		OpenedAfter: f.OpenedAfter.UTC(), OpenedBefore: f.OpenedBefore.UTC(), Text: f.Text,
	}, nil
}

type incidentsInput struct {
	InProject
	FilterQuery
	Cursor string `query:"cursor" maxLength:"36" doc:"next_cursor of the previous page."`
	Limit  int    `query:"limit" minimum:"1" maximum:"500" default:"50"`
}

// IncidentCount is how many incidents a filter selects.
type IncidentCount struct {
	Count  int  `json:"count"`
	Capped bool `json:"capped" doc:"There may be more. The count covers the newest 100,000 incidents if the filter has only state, cause and time, and otherwise the newest 10,000."`
}

// IncidentPath is the incident of a path.
type IncidentPath struct {
	ID string `path:"id" maxLength:"36" doc:"The incident."`
}

// reply is an answer with only a body.
type reply[T any] struct{ Body T }

type incidentReply struct {
	ETag string `header:"ETag" doc:"The incident's revision, for If-Match."`
	Body wire.Incident
}

func etag(revision int) string { return `"` + strconv.Itoa(revision) + `"` }

func addIncidents(r *room) {
	line := operation{
		method: http.MethodGet, path: "/incidents", id: "incidents-list", tag: "Incidents", role: identity.Viewer,
		title: "List incidents, newest first", errors: []int{http.StatusNotFound},
	}
	add(r, line, func(ctx context.Context, in *incidentsInput) (*reply[wire.IncidentPage], error) {
		project, e, err := r.engineFor(ctx, in.Project)
		if err != nil {
			return nil, err
		}
		f, err := in.filter()
		if err != nil {
			return nil, err
		}
		f.Before, f.Limit = engine.IncidentID(in.Cursor), in.Limit
		page, err := e.Incidents(ctx, f)
		return &reply[wire.IncidentPage]{wire.NewIncidentPage(project, page)}, err
	})
	line.path, line.id, line.title = "/incidents/count", "incidents-count", "Count incidents, up to a limit"
	add(r, line, func(ctx context.Context, in *struct {
		InProject
		FilterQuery
	},
	) (*reply[IncidentCount], error) {
		project, err := r.project(ctx, in.Project)
		if err != nil {
			return nil, err
		}
		f, err := in.filter()
		if err != nil {
			return nil, err
		}
		n, capped, err := r.Incidents.Count(ctx, project, f, incidents.CountCap)
		return &reply[IncidentCount]{IncidentCount{n, capped}}, err
	})
	line.path, line.id, line.title = "/incidents/{id}", "incidents-get", "Read an incident"
	add(r, line, func(ctx context.Context, in *IncidentPath) (*incidentReply, error) {
		project, e, err := r.incidentIn(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		i, err := e.Incident(ctx, engine.IncidentID(in.ID))
		return &incidentReply{etag(i.Revision), wire.NewIncident(project, i)}, err
	})
	timeline(r, line)
}
