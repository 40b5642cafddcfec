package store

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/dbsqlc"
	"github.com/sendpromptly/sendpromptly/internal/id"
)

// Outcome is a result as it comes over the wire: it names the effect by its own
// id or by the event, and by the provider and the effect type as far as the
// caller knows them.
type Outcome struct {
	// EffectID, where it is known, says everything that EventID, Provider and
	// Effect say, which must then agree with it or be empty.
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

// AmbiguousError means that an outcome fits several effects.
type AmbiguousError struct {
	// Missing are the fields that would tell them apart: "provider", "effect_type" or both.
	Missing []string
}

func (e *AmbiguousError) Error() string {
	return "the outcome fits several effects: " + strings.Join(e.Missing, " and ") + " is missing"
}

// RecordOutcome records an outcome in a transaction and returns the effect's
// id. A success is [engine.Engine.Succeed]: it waits for another uncommitted
// outcome of the same effect. A failure is recorded as [engine.Engine.Fail]
// records it, without waiting for a row; it may share this transaction, because
// none of the effect's own work is in it. Errors: [ErrNotFound] for an effect
// that the project has no receipt of, and [*AmbiguousError].
func (s *Store) RecordOutcome(ctx context.Context, tx pgx.Tx, project string, o Outcome) (engine.EffectID, error) {
	if o.EffectID != "" {
		if err := s.nameEffect(ctx, tx, project, &o); err != nil {
			return "", err
		}
	}
	effectID, state, err := s.record(ctx, tx, project, o)
	switch {
	case err != nil:
		return "", err
	case state == "unknown":
		return "", fmt.Errorf("effect: %w", ErrNotFound)
	case state == "ambiguous":
		return "", s.ambiguity(ctx, tx, project, o)
	}
	return engine.EffectID(effectID), nil
}

func (s *Store) record(ctx context.Context, tx pgx.Tx, project string, o Outcome) (effectID, state string, err error) {
	if o.Failed {
		row, err := s.queries.OutcomeFail(ctx, tx, dbsqlc.OutcomeFailParams{Provider: optional(o.Provider), EventID: o.EventID, Effect: optional(o.Effect),
			ErrorCode: optional(o.ErrorCode), ErrorMessage: optional(o.ErrorMessage), ReplayID: optional(o.ReplayID), Project: project})
		return row.EffectID, row.State, err
	}
	row, err := s.queries.OutcomeSucceed(ctx, tx, dbsqlc.OutcomeSucceedParams{Provider: optional(o.Provider), EventID: o.EventID, Effect: optional(o.Effect),
		ReplayID: optional(o.ReplayID), Project: project})
	return row.EffectID, row.State, err
}

// nameEffect completes an outcome that names the effect by its own id.
func (s *Store) nameEffect(ctx context.Context, tx pgx.Tx, project string, o *Outcome) error {
	if !id.Valid(string(o.EffectID)) {
		return fmt.Errorf("effect: %w", ErrNotFound)
	}
	row, err := s.queries.EffectKey(ctx, tx, dbsqlc.EffectKeyParams{Project: project, EffectID: string(o.EffectID)})
	if errors.Is(err, pgx.ErrNoRows) {
		return fmt.Errorf("effect: %w", ErrNotFound)
	}
	if err != nil {
		return err
	}
	for _, part := range []struct {
		field string
		said  *string
		is    string
	}{{"provider_event_id", &o.EventID, row.EventID}, {"provider", &o.Provider, row.Provider}, {"effect_type", &o.Effect, row.Effect}} {
		if *part.said != "" && *part.said != part.is {
			return &engine.FieldError{Field: part.field, Reason: "is not that of event_id"}
		}
		*part.said = part.is
	}
	return nil
}

// ambiguity says which field would tell the effects apart.
func (s *Store) ambiguity(ctx context.Context, tx pgx.Tx, project string, o Outcome) error {
	spread, err := s.queries.EventSpread(ctx, tx, dbsqlc.EventSpreadParams{Project: project, EventID: o.EventID,
		Provider: optional(o.Provider), Effect: optional(o.Effect)})
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

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
