package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/internal/dbsqlc"
)

// State reads the state of one effect, or [ErrUnknownEffect].
func (e *Engine) State(ctx context.Context, k Key) (State, error) {
	row, err := e.findEffect(ctx, k)
	return State(row.State), err
}

// EffectOf reads the id of one effect, or [ErrUnknownEffect].
func (e *Engine) EffectOf(ctx context.Context, k Key) (EffectID, error) {
	row, err := e.findEffect(ctx, k)
	return EffectID(row.EffectID), err
}

// IncidentOf reads the incident of one effect: [ErrUnknownEffect] without a
// receipt, [ErrNotFound] where it never had an incident.
func (e *Engine) IncidentOf(ctx context.Context, k Key) (Incident, error) {
	effect, err := e.findEffect(ctx, k)
	if err != nil {
		return Incident{}, err
	}
	row, err := e.queries.IncidentGetByEffect(ctx, e.pool, dbsqlc.IncidentGetByEffectParams{Project: e.cfg.Project, EffectID: effect.EffectID})
	if errors.Is(err, pgx.ErrNoRows) {
		return Incident{}, fmt.Errorf("%w: %s has no incident", ErrNotFound, k)
	}
	if err != nil {
		return Incident{}, err
	}
	return newIncident(row.Incident, row.Effect), nil
}

func (e *Engine) findEffect(ctx context.Context, k Key) (dbsqlc.EffectFindRow, error) {
	if err := k.validate(); err != nil {
		return dbsqlc.EffectFindRow{}, err
	}
	row, err := e.queries.EffectFind(ctx, e.pool, dbsqlc.EffectFindParams{Project: e.cfg.Project, EventID: k.EventID, Provider: k.Provider, Effect: k.Effect})
	if errors.Is(err, pgx.ErrNoRows) {
		return row, fmt.Errorf("%w: %s", ErrUnknownEffect, k)
	}
	return row, err
}
