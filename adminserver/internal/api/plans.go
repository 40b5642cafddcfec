package api

import (
	"context"
	"net/http"
	"time"

	"github.com/sendpromptly/sendpromptly/adminserver/internal/identity"
	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/store/incidents"
	"github.com/sendpromptly/sendpromptly/internal/wire"
)

// Filter selects incidents, in a body.
type Filter struct {
	Open         bool       `json:"open,omitempty"`
	State        string     `json:"state,omitempty" enum:"failed,missing,reprocessing,resolved,closed"`
	Cause        string     `json:"cause,omitempty" enum:"failed,missing,unreceived"`
	Provider     string     `json:"provider,omitempty" maxLength:"64"`
	EventType    string     `json:"event_type,omitempty" maxLength:"128"`
	EffectType   string     `json:"effect_type,omitempty" maxLength:"64"`
	Version      string     `json:"version,omitempty" maxLength:"128"`
	Term         string     `json:"term,omitempty" maxLength:"255"`
	Reference    string     `json:"reference,omitempty" maxLength:"255"`
	Customer     string     `json:"customer,omitempty" maxLength:"255"`
	OpenedAfter  *time.Time `json:"opened_after,omitempty"`
	OpenedBefore *time.Time `json:"opened_before,omitempty"`
	Text         string     `json:"text,omitempty" maxLength:"255"`
}

func (f Filter) filter() (engine.IncidentFilter, error) {
	q := FilterQuery{
		Open:       f.Open,
		State:      f.State,
		Cause:      f.Cause,
		Provider:   f.Provider,
		EventType:  f.EventType,
		EffectType: f.EffectType,
		Version:    f.Version,
		Term:       f.Term,
		Reference:  f.Reference,
		Customer:   f.Customer,
		Text:       f.Text,
	}
	if f.OpenedAfter != nil {
		q.OpenedAfter = *f.OpenedAfter
	}
	if f.OpenedBefore != nil {
		q.OpenedBefore = *f.OpenedBefore
	}
	return q.filter()
}

func newFilter(f engine.IncidentFilter) Filter {
	return Filter{
		Open:         f.Open,
		State:        wire.StateName(f.State),
		Cause:        string(f.Cause),
		Provider:     f.Provider,
		EventType:    f.EventType,
		EffectType:   f.Effect,
		Version:      f.Version,
		Term:         f.Term,
		Reference:    f.Subject,
		Customer:     f.Customer,
		OpenedAfter:  wire.At(f.OpenedAfter),
		OpenedBefore: wire.At(f.OpenedBefore),
		Text:         f.Text,
	}
}

// Plan is a bulk action over a frozen set of incidents.
type Plan struct {
	ID         string         `json:"id" format:"uuid"`
	Project    string         `json:"project"`
	Action     string         `json:"action" enum:"reprocess,close"`
	Filter     Filter         `json:"filter"`
	Note       string         `json:"note,omitempty"`
	Size       int            `json:"size" doc:"How many incidents were frozen. To start the plan, confirm this count."`
	CreatedAt  time.Time      `json:"created_at"`
	CreatedBy  string         `json:"created_by"`
	StartedAt  *time.Time     `json:"started_at,omitempty"`
	StartedBy  string         `json:"started_by,omitempty"`
	FinishedAt *time.Time     `json:"finished_at,omitempty" doc:"When the plan had acted on every incident. Attempts may still be in flight."`
	StoppedBy  string         `json:"stopped_by,omitempty"`
	Results    []PlanProgress `json:"results" doc:"Empty in a list of plans."`
}

// PlanProgress counts a plan's incidents by result.
type PlanProgress struct {
	Result    string `json:"result" enum:"waiting,in_flight,applied,failed,missing,gave_up,closed,changed,refused,error,stopped"`
	Incidents int    `json:"incidents"`
}

var planResults = []string{
	"waiting",
	"in_flight",
	"applied",
	"failed",
	"missing",
	"gave_up",
	"closed",
	"changed",
	"refused",
	"error",
	"stopped",
}

func newPlan(p incidents.Plan) Plan {
	made := Plan{
		ID:         p.ID,
		Project:    p.Project,
		Action:     p.Action,
		Filter:     newFilter(p.Filter),
		Note:       p.Note,
		Size:       p.Size,
		CreatedAt:  p.CreatedAt.UTC(),
		CreatedBy:  string(p.CreatedBy),
		StartedAt:  wire.At(p.StartedAt),
		StartedBy:  string(p.StartedBy),
		FinishedAt: wire.At(p.FinishedAt),
		StoppedBy:  string(p.StoppedBy),
		Results:    []PlanProgress{},
	}
	for _, result := range planResults {
		if n := p.Results[result]; n > 0 {
			made.Results = append(made.Results, PlanProgress{result, n})
		}
	}
	return made
}

// PlanRequest asks for a plan.
type PlanRequest struct {
	Action string `json:"action" enum:"reprocess,close"`
	Filter Filter `json:"filter" doc:"An empty filter is refused, and a filter that does not select open incidents."`
	Note   string `json:"note,omitempty" maxLength:"2000" doc:"The reason. Required for close."`
}

// PlanCount confirms a plan's size.
type PlanCount struct {
	Count int `json:"count" minimum:"0"`
}

// Plans are the newest 50 plans of a project.
type Plans struct {
	Plans []Plan `json:"plans"`
}

// PlanPath is the plan of a path.
type PlanPath struct {
	ID string `path:"id" maxLength:"36" doc:"The plan."`
}

func (r *room) planIn(ctx context.Context, id string) (string, error) {
	name, err := r.Incidents.ProjectOfPlan(ctx, id)
	return located(ctx, name, err)
}

func addPlans(r *room) {
	line := operation{
		method: http.MethodGet,
		path:   "/plans",
		id:     "plans-list",
		tag:    "Plans",
		role:   identity.Viewer,
		title:  "List the newest 50 plans",
		errors: []int{http.StatusNotFound},
	}
	add(r, line, func(ctx context.Context, in *InProject) (*reply[Plans], error) {
		project, err := r.project(ctx, in.Project)
		if err != nil {
			return nil, err
		}
		all, err := r.Incidents.Plans.List(ctx, project)
		return &reply[Plans]{Plans{wire.List(all, newPlan)}}, err
	})
	line.path, line.id, line.title = "/plans/{id}", "plans-get", "Read a plan and its progress"
	add(r, line, func(ctx context.Context, in *PlanPath) (*reply[Plan], error) {
		project, err := r.planIn(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		p, err := r.Incidents.Plans.Get(ctx, project, in.ID)
		return &reply[Plan]{newPlan(p)}, err
	})
	planActions(r)
}

func planActions(r *room) {
	line := operation{
		method: http.MethodPost,
		path:   "/plans",
		id:     "plans-create",
		tag:    "Plans",
		role:   identity.Operator,
		status: http.StatusCreated,
		title:  "Freeze a set of incidents for a bulk action",
		text: "Nothing runs until the plan is started. It then skips incidents that have changed, and sends only a few " +
			"callbacks per project at once.",
		errors: []int{http.StatusNotFound, http.StatusUnsupportedMediaType, http.StatusRequestEntityTooLarge},
	}
	add(r, line, func(ctx context.Context, in *struct {
		InProject
		Body PlanRequest
	},
	) (*reply[Plan], error) {
		project, err := r.project(ctx, in.Project)
		if err != nil {
			return nil, err
		}
		f, err := in.Body.Filter.filter()
		if err != nil {
			return nil, err
		}
		request := incidents.PlanRequest{Action: in.Body.Action, Filter: f, Note: in.Body.Note}
		p, err := r.Incidents.Plans.Create(ctx, project, request, identity.From(ctx).Actor())
		return &reply[Plan]{newPlan(p)}, err
	})
	line.path, line.id, line.title, line.status = "/plans/{id}/start", "plans-start", "Start a plan", http.StatusOK
	line.text, line.errors = "count must equal the plan's size. A plan starts once.", append(line.errors, http.StatusConflict)
	add(r, line, func(ctx context.Context, in *struct {
		PlanPath
		Body PlanCount
	},
	) (*reply[Plan], error) {
		project, err := r.planIn(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		p, err := r.Incidents.Plans.Start(ctx, project, in.ID, in.Body.Count, identity.From(ctx).Actor())
		return &reply[Plan]{newPlan(p)}, err
	})
	line.path, line.id, line.title = "/plans/{id}/stop", "plans-stop", "Stop a plan"
	line.text, line.errors = "Incidents that it has not reached stay unchanged. Attempts in flight continue.", []int{
		http.StatusNotFound,
		http.StatusConflict,
	}
	add(r, line, func(ctx context.Context, in *PlanPath) (*reply[Plan], error) {
		project, err := r.planIn(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		p, err := r.Incidents.Plans.Stop(ctx, project, in.ID, identity.From(ctx).Actor())
		return &reply[Plan]{newPlan(p)}, err
	})
}
