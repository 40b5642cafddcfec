package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/dbsqlc"
)

// ProjectOfEffect names the project that an effect belongs to, or [ErrNotFound].
func (s *Store) ProjectOfEffect(ctx context.Context, effect engine.EffectID) (string, error) {
	return s.projectOf(ctx, "effect", string(effect), s.queries.EffectProject)
}

// ProjectOfPlan names the project that a plan belongs to, or [ErrNotFound].
func (s *Store) ProjectOfPlan(ctx context.Context, plan string) (string, error) {
	return s.projectOf(ctx, "plan", plan, s.queries.PlanProject)
}

// ProjectOfView names the project that a saved view belongs to, or [ErrNotFound].
func (s *Store) ProjectOfView(ctx context.Context, view string) (string, error) {
	return s.projectOf(ctx, "view", view, s.queries.ViewProject)
}

func (s *Store) projectOf(ctx context.Context, what, id string, find func(context.Context, dbsqlc.DBTX, string) (string, error)) (string, error) {
	if err := checkID(what, id); err != nil {
		return "", err
	}
	name, err := find(ctx, s.pool, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", fmt.Errorf("%s %s: %w", what, id, ErrNotFound)
	}
	return name, err
}
