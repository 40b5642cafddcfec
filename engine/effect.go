package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/internal/dbsqlc"
	"github.com/sendpromptly/sendpromptly/internal/named"
	"github.com/sendpromptly/sendpromptly/internal/pg"
)

// Effect is one thing owed and what became of it.
type Effect struct {
	ID EffectID
	// Acceptance is what was recorded when the app accepted the job, without the
	// payload; Timeout is the one that held.
	Acceptance
	AcceptedAt time.Time
	// Deadline is when the outcome was first owed by. It never moves.
	Deadline time.Time
	State    State
	// SucceededAt is when the first wait ended in a success; zero where it did
	// not, also where a later success resolved the incident.
	SucceededAt time.Time
	// IncidentID is empty where the effect never had an incident.
	IncidentID IncidentID
}

// Find reads the effect that a key names, in one round trip, or [ErrUnknownEffect] where no receipt
// was recorded for it. It takes no locks.
func (e *Engine) Find(ctx context.Context, k Key) (Effect, error) {
	if err := k.validate(); err != nil {
		return Effect{}, err
	}
	row, err := e.queries.EffectFind(ctx, e.pool, dbsqlc.EffectFindParams{
		Project: e.cfg.Project, EventID: k.EventID, Provider: k.Provider, Effect: k.Effect,
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return Effect{}, fmt.Errorf("%w: %s", ErrUnknownEffect, k)
	}
	if err != nil {
		return Effect{}, named.Error("reading "+k.String(), err)
	}
	return Effect{
		ID:          EffectID(row.Effect.EffectID),
		Acceptance:  newAcceptance(row.Effect),
		AcceptedAt:  row.Effect.AcceptedAt,
		Deadline:    row.Effect.Deadline,
		State:       State(row.State),
		SucceededAt: pg.Value(row.Effect.SucceededAt),
		IncidentID:  IncidentID(row.IncidentID),
	}, nil
}
