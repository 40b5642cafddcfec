package incidents

import (
	"context"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/dbsqlc"
	"github.com/sendpromptly/sendpromptly/internal/input"
	"github.com/sendpromptly/sendpromptly/internal/opened"
	"github.com/sendpromptly/sendpromptly/internal/pg"
	"github.com/sendpromptly/sendpromptly/internal/store"
)

// Outcomes records outcomes from the ingest API.
type Outcomes struct{ db *store.DB }

// Outcome is an outcome from the ingest API. It names the effect by its own id, or by the event
// and, if the caller knows them, the provider and the effect type.
type Outcome struct {
	// EffectID alone identifies the effect. If it is set, EventID, Provider and Effect must match
	// it or be empty.
	EffectID engine.EffectID
	EventID  string
	Provider string
	Effect   string
	// Failed is a failure with its code and message; otherwise a success.
	Failed       bool
	ErrorCode    string
	ErrorMessage string
	// ReplayID is the attempt that the outcome belongs to, if any.
	ReplayID string
}

// AmbiguousError means that an outcome matches several effects.
type AmbiguousError struct {
	// Missing are the fields that distinguish them: "provider", "effect_type" or both.
	Missing []string
}

func (e *AmbiguousError) Error() string {
	return "the outcome matches several effects: " + strings.Join(e.Missing, " and ") + " is missing"
}

// Recorded is the effect that an outcome was recorded for.
type Recorded struct {
	EffectID engine.EffectID
	// Opened is the incident that a failure opened. Log it after the commit.
	Opened opened.Incidents
}

// Record records an outcome in a transaction. A success waits for another uncommitted outcome of
// the same effect, as [engine.Engine.Succeed] does. A failure waits for no lock, as
// [engine.Engine.Fail]; it may use this transaction, because none of the effect's own work is in
// it. It returns [engine.ErrNotFound] if the project has no receipt of the effect, and
// [*AmbiguousError].
func (r *Outcomes) Record(ctx context.Context, tx pgx.Tx, project string, o Outcome) (Recorded, error) {
	if o.EffectID != "" {
		if err := r.nameEffect(ctx, tx, project, &o); err != nil {
			return Recorded{}, err
		}
	}
	recorded, state, err := r.record(ctx, tx, project, o)
	switch {
	case err != nil:
		return Recorded{}, err
	case state == "unknown":
		return Recorded{}, store.NotFound("effect")
	case state == "ambiguous":
		return Recorded{}, r.ambiguity(ctx, tx, project, o)
	}
	return recorded, nil
}

func (r *Outcomes) record(ctx context.Context, tx pgx.Tx, project string, o Outcome) (done Recorded, state string, err error) {
	if o.Failed {
		row, err := r.db.Queries.OutcomeFail(ctx, tx, dbsqlc.OutcomeFailParams{
			Provider: pg.Optional(o.Provider),
			EventID:  o.EventID,
			Effect:   pg.Optional(o.Effect),
			ErrorCode: pg.Optional(
				o.ErrorCode,
			),
			ErrorMessage: pg.Optional(o.ErrorMessage),
			ReplayID:     pg.Optional(o.ReplayID),
			Project:      project,
		})
		return Recorded{EffectID: engine.EffectID(row.EffectID), Opened: opened.Failure(row.Opened)}, row.State, err
	}
	row, err := r.db.Queries.OutcomeSucceed(ctx, tx, dbsqlc.OutcomeSucceedParams{
		Provider: pg.Optional(o.Provider), EventID: o.EventID, Effect: pg.Optional(o.Effect),
		ReplayID: pg.Optional(o.ReplayID), Project: project,
	})
	return Recorded{EffectID: engine.EffectID(row.EffectID)}, row.State, err
}

// nameEffect fills in the key of an outcome that has the effect's id.
func (r *Outcomes) nameEffect(ctx context.Context, tx pgx.Tx, project string, o *Outcome) error {
	if input.UUID(string(o.EffectID)) != "" {
		return store.NotFound("effect")
	}
	row, err := r.db.Queries.EffectKey(ctx, tx, dbsqlc.EffectKeyParams{Project: project, EffectID: string(o.EffectID)})
	if errors.Is(err, pgx.ErrNoRows) {
		return store.NotFound("effect")
	}
	if err != nil {
		return err
	}
	for _, part := range []struct {
		field string
		said  *string
		is    string
	}{{"provider_event_id", &o.EventID, row.EventID}, {"provider", &o.Provider, row.Provider}, {
		"effect_type", &o.Effect,
		row.Effect,
	}} {
		if *part.said != "" && *part.said != part.is {
			return &engine.FieldError{Field: part.field, Reason: "does not match event_id"}
		}
		*part.said = part.is
	}
	return nil
}

// ambiguity returns the fields that distinguish the effects.
func (r *Outcomes) ambiguity(ctx context.Context, tx pgx.Tx, project string, o Outcome) error {
	spread, err := r.db.Queries.EventSpread(ctx, tx, dbsqlc.EventSpreadParams{
		Project: project, EventID: o.EventID,
		Provider: pg.Optional(o.Provider), Effect: pg.Optional(o.Effect),
	})
	if err != nil {
		return err
	}
	var missing []string
	if spread.Providers > 1 {
		missing = append(missing, "provider")
	}
	if spread.Effects > 1 || missing == nil {
		missing = append(missing, "effect_type")
	}
	return &AmbiguousError{Missing: missing}
}
