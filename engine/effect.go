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

// Effect is one thing that a provider's event owes, and its current state.
type Effect struct {
	ID EffectID
	// Acceptance is what the app recorded when it accepted the job, without Payload and Mode.
	// Timeout is the one that was used.
	Acceptance
	AcceptedAt time.Time
	// Deadline is the time by which the first outcome had to arrive. It never moves.
	Deadline time.Time
	State    State
	// SucceededAt is when the effect succeeded without an incident. It is zero if it has not, and
	// if a later success resolved the incident.
	SucceededAt time.Time
	// IncidentID is empty if the effect never had an incident.
	IncidentID IncidentID
}

// Find returns the effect of a key, in one round trip and without locks. It returns
// [ErrUnknownEffect] if no receipt was recorded for the key.
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
