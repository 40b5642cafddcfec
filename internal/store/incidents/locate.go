package incidents

import (
	"context"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/dbsqlc"
	"github.com/sendpromptly/sendpromptly/internal/input"
	"github.com/sendpromptly/sendpromptly/internal/store"
)

// ProjectOfIncident returns the project of an incident, or [engine.ErrNotFound].
func (i *Incidents) ProjectOfIncident(ctx context.Context, incident engine.IncidentID) (string, error) {
	return i.projectOf(ctx, "incident", string(incident), i.db.Queries.IncidentProject)
}

// ProjectOfEffect returns the project of an effect, or [engine.ErrNotFound].
func (i *Incidents) ProjectOfEffect(ctx context.Context, effect engine.EffectID) (string, error) {
	return i.projectOf(ctx, "effect", string(effect), i.db.Queries.EffectProject)
}

// ProjectOfPlan returns the project of a plan, or [engine.ErrNotFound].
func (i *Incidents) ProjectOfPlan(ctx context.Context, plan string) (string, error) {
	return i.projectOf(ctx, "plan", plan, i.db.Queries.PlanProject)
}

// ProjectOfView returns the project of a saved view, or [engine.ErrNotFound].
func (i *Incidents) ProjectOfView(ctx context.Context, view string) (string, error) {
	return i.projectOf(ctx, "view", view, i.db.Queries.ViewProject)
}

func (i *Incidents) projectOf(
	ctx context.Context,
	what, id string,
	find func(context.Context, dbsqlc.DBTX, string) (string, error),
) (string, error) {
	if err := store.Invalid(what, input.UUID(id)); err != nil {
		return "", err
	}
	name, err := find(ctx, i.db.Pool, id)
	return name, store.OrNotFound(err, what+" "+id)
}
