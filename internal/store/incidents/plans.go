package incidents

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/dbsqlc"
	"github.com/sendpromptly/sendpromptly/internal/input"
	"github.com/sendpromptly/sendpromptly/internal/pg"
	"github.com/sendpromptly/sendpromptly/internal/store"
	"github.com/sendpromptly/sendpromptly/internal/store/projects"
)

// PlanMost is the most incidents of a plan.
const PlanMost = 100_000

// ErrPlanBegun means that a plan was already started or stopped.
var ErrPlanBegun = errors.New("the plan was already started or stopped: reload it")

// PlanRequest describes a new plan.
type PlanRequest struct {
	// Action is "reprocess" or "close".
	Action string
	// Filter selects the incidents. An empty filter is refused, and so is one that selects
	// incidents that the action cannot change: set Open, or a State.
	Filter engine.IncidentFilter
	// Note says why; closing needs one. At most 2,000 characters.
	Note string
}

// Plans are the plans of all projects.
type Plans struct {
	db       *store.DB
	projects *projects.Projects
}

// Plan is a bulk action over a frozen set of incidents.
type Plan struct {
	ID        string
	Project   string
	Action    string
	Filter    engine.IncidentFilter
	Note      string
	Size      int
	CreatedAt time.Time
	CreatedBy engine.Operator
	// StartedAt is zero until an operator confirms the count.
	StartedAt time.Time
	StartedBy engine.Operator
	// FinishedAt is when the last incident was handled. Attempts may still be in flight then.
	FinishedAt time.Time
	// StoppedBy is set if an operator stopped the plan.
	StoppedBy engine.Operator
	// Results counts its incidents: waiting, in_flight, applied, failed, missing,
	// gave_up, closed, changed (since the set was frozen), refused, error (its
	// timeline says why) or stopped.
	Results map[string]int
}

// Create freezes the set of incidents that match the filter, with their current revisions. Nothing
// happens to them until [Plans.Start].
func (ps *Plans) Create(ctx context.Context, project string, r PlanRequest, by engine.Operator) (Plan, error) {
	if err := r.check(); err != nil {
		return Plan{}, err
	}
	if err := store.Invalid("by", input.Present(string(by), input.NameLimit)); err != nil {
		return Plan{}, err
	}
	filter, err := filterText(r.Filter)
	if err != nil {
		return Plan{}, err
	}
	projectID, err := ps.projects.ID(ctx, project)
	if err != nil {
		return Plan{}, err
	}
	params := dbsqlc.PlanCreateParams{Project: project, Action: r.Action, Filter: filter, Operator: string(by), Most: PlanMost}
	if r.Note != "" {
		params.Note = &r.Note
	}
	var made dbsqlc.PlanCreateRow
	err = ps.db.InTx(ctx, func(tx pgx.Tx) error {
		if made, err = ps.db.Queries.PlanCreate(ctx, tx, params); err != nil || made.PlanID == "" {
			return err
		}
		return ps.projects.Audit.Add(ctx, tx, projectID, by, "plan.create", made.PlanID, "")
	})
	if err != nil {
		return Plan{}, err
	}
	if made.Size < 0 {
		return Plan{}, &engine.FieldError{
			Field:  "filter",
			Reason: fmt.Sprintf("selects more than %d incidents: narrow it", PlanMost),
		}
	}
	return ps.Get(ctx, project, made.PlanID)
}

func (r PlanRequest) check() error {
	if r.Action != "reprocess" && r.Action != "close" {
		return &engine.FieldError{Field: "action", Reason: "must be reprocess or close"}
	}
	if r.Action == "close" && strings.TrimSpace(r.Note) == "" {
		return &engine.FieldError{Field: "note", Reason: "is empty: say why no repair is needed"}
	}
	if err := store.Invalid("note", input.Text(r.Note, input.NoteLimit)); err != nil {
		return err
	}
	state := r.Filter.State
	switch {
	case r.Filter.Empty():
		return &engine.FieldError{Field: "filter", Reason: "is empty: say which incidents"}
	case !r.Filter.Open && !state.Open() && (state != engine.StateClosed || r.Action != "reprocess"):
		return &engine.FieldError{Field: "filter", Reason: "must select open incidents"}
	}
	return nil
}

// Start starts a plan. count is the size that the operator confirmed; another number is refused.
// [ErrPlanBegun] if the plan was already started or stopped.
func (ps *Plans) Start(ctx context.Context, project, plan string, count int, by engine.Operator) (Plan, error) {
	p, err := ps.Get(ctx, project, plan)
	if err != nil {
		return Plan{}, err
	}
	if p.Size != count {
		return Plan{}, &engine.FieldError{
			Field:  "count",
			Reason: "is not the number of incidents in the plan: read the plan and confirm its count",
		}
	}
	err = ps.change(ctx, p, "start", by, func(tx pgx.Tx, projectID int) (int64, error) {
		return ps.db.Queries.PlanStart(
			ctx,
			tx,
			dbsqlc.PlanStartParams{Operator: string(by), ProjectID: projectID, PlanID: plan, Size: count},
		)
	})
	if err != nil {
		return Plan{}, err
	}
	return ps.Get(ctx, project, plan)
}

// Stop ends a plan. Incidents that it has not reached do not change; attempts in flight continue.
func (ps *Plans) Stop(ctx context.Context, project, plan string, by engine.Operator) (Plan, error) {
	p, err := ps.Get(ctx, project, plan)
	if err != nil {
		return Plan{}, err
	}
	err = ps.change(ctx, p, "stop", by, func(tx pgx.Tx, projectID int) (int64, error) {
		stopped, err := ps.db.Queries.PlanStop(ctx, tx,
			dbsqlc.PlanStopParams{Operator: string(by), ProjectID: projectID, PlanID: plan})
		if err != nil || stopped == 0 {
			return stopped, err
		}
		return stopped, ps.db.Queries.PlanStopItems(ctx, tx, dbsqlc.PlanStopItemsParams{ProjectID: projectID, PlanID: plan})
	})
	if err != nil {
		return Plan{}, err
	}
	return ps.Get(ctx, project, plan)
}

// change starts or stops a plan and writes the audit entry. If no row changes, it returns
// [ErrPlanBegun].
func (ps *Plans) change(
	ctx context.Context,
	p Plan,
	what string,
	by engine.Operator,
	change func(tx pgx.Tx, projectID int) (int64, error),
) error {
	if err := store.Invalid("by", input.Present(string(by), input.NameLimit)); err != nil {
		return err
	}
	projectID, err := ps.projects.ID(ctx, p.Project)
	if err != nil {
		return err
	}
	return ps.db.InTx(ctx, func(tx pgx.Tx) error {
		changed, err := change(tx, projectID)
		if err != nil {
			return err
		}
		if changed == 0 {
			return ErrPlanBegun
		}
		return ps.projects.Audit.Add(ctx, tx, projectID, by, "plan."+what, p.ID, "")
	})
}

// Get returns one plan with its results, or [engine.ErrNotFound].
func (ps *Plans) Get(ctx context.Context, project, plan string) (Plan, error) {
	if err := store.Invalid("plan", input.UUID(plan)); err != nil {
		return Plan{}, err
	}
	projectID, err := ps.projects.ID(ctx, project)
	if err != nil {
		return Plan{}, err
	}
	row, err := ps.db.Queries.PlanGet(ctx, ps.db.Pool, dbsqlc.PlanGetParams{ProjectID: projectID, PlanID: plan})
	if errors.Is(err, pgx.ErrNoRows) {
		return Plan{}, store.NotFound("plan %s", plan)
	}
	if err != nil {
		return Plan{}, err
	}
	p, err := newPlan(project, row)
	if err != nil {
		return Plan{}, err
	}
	results, err := ps.db.Queries.PlanResults(ctx, ps.db.Pool, dbsqlc.PlanResultsParams{ProjectID: projectID, PlanID: plan})
	p.Results = map[string]int{}
	for _, r := range results {
		p.Results[r.Result] = r.Incidents
	}
	return p, err
}

// List returns the newest 50 plans of a project, without their results.
func (ps *Plans) List(ctx context.Context, project string) ([]Plan, error) {
	projectID, err := ps.projects.ID(ctx, project)
	if err != nil {
		return nil, err
	}
	rows, err := ps.db.Queries.PlanList(ctx, ps.db.Pool, projectID)
	if err != nil {
		return nil, err
	}
	plans := make([]Plan, len(rows))
	for i, row := range rows {
		if plans[i], err = newPlan(project, row); err != nil {
			return nil, err
		}
	}
	return plans, nil
}

func newPlan(project string, p dbsqlc.Plan) (Plan, error) {
	plan := Plan{
		ID: p.PlanID, Project: project, Action: p.Action, Note: pg.Value(p.Note), Size: p.Size, CreatedAt: p.CreatedAt,
		CreatedBy: engine.Operator(p.CreatedBy), StartedAt: pg.Value(p.StartedAt), StartedBy: engine.Operator(pg.Value(p.StartedBy)),
		FinishedAt: pg.Value(p.FinishedAt), StoppedBy: engine.Operator(pg.Value(p.StoppedBy)),
	}
	return plan, json.Unmarshal([]byte(p.Filter), &plan.Filter)
}
