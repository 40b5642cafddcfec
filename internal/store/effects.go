package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/dbsqlc"
	"github.com/sendpromptly/sendpromptly/internal/id"
)

// Effect is what was accepted, without the payload, and what became of it.
type Effect struct {
	ID engine.EffectID
	engine.Acceptance
	AcceptedAt time.Time
	// Deadline is the first one, which never moves.
	Deadline time.Time
	// SucceededAt is when the first wait ended in a success; zero where it did not.
	SucceededAt time.Time
	State       engine.State
	// Incident is empty where the effect never had one.
	Incident engine.IncidentID
}

// EffectFilter selects effects of one project.
type EffectFilter struct {
	Project string
	// Term is any id that somebody may hold: subject, customer or one of the
	// provider's object ids, in any case; the event's id; or an id of ours, of the
	// effect, its incident or an attempt. Empty selects all effects. Subject,
	// customer and object ids are found a moment after the effect was accepted.
	Term string
	// Before is where the page before this one ended; see [EffectPage].
	Before engine.EffectID
	// Limit is the size of the page: 50 by default, 500 at most.
	Limit int
}

// EffectPage is one page of effects, newest first.
type EffectPage struct {
	Effects []Effect
	// Next is the Before of the next page, empty on the last.
	Next engine.EffectID
}

// Effects pages through the effects of a project, newest first, whether or not
// they have an incident.
func (s *Store) Effects(ctx context.Context, f EffectFilter) (EffectPage, error) {
	params := dbsqlc.EffectListParams{Project: f.Project, Before: lastID, Page: 51}
	if f.Limit < 0 || f.Limit > 500 {
		return EffectPage{}, &engine.FieldError{Field: "Limit", Reason: "must lie between 1 and 500"}
	}
	if f.Limit > 0 {
		params.Page = f.Limit + 1
	}
	if f.Before != "" {
		if !id.Valid(string(f.Before)) {
			return EffectPage{}, &engine.FieldError{Field: "Before", Reason: notAnID}
		}
		params.Before = string(f.Before)
	}
	if term := strings.TrimSpace(f.Term); term != "" {
		if err := checkText("Term", term, 255); err != nil {
			return EffectPage{}, err
		}
		params.Term = &term
	}
	if _, err := s.projectID(ctx, f.Project); err != nil {
		return EffectPage{}, err
	}
	rows, err := s.queries.EffectList(ctx, s.pool, params)
	if err != nil {
		return EffectPage{}, err
	}
	var page EffectPage
	if limit := params.Page - 1; len(rows) > limit {
		rows = rows[:limit]
		page.Next = engine.EffectID(rows[limit-1].Effect.EffectID)
	}
	for _, r := range rows {
		page.Effects = append(page.Effects, newEffect(r.Effect, r.State, r.IncidentID))
	}
	return page, nil
}

// Effect reads one effect, or [ErrNotFound].
func (s *Store) Effect(ctx context.Context, project string, effect engine.EffectID) (Effect, error) {
	projectID, err := s.projectID(ctx, project)
	if err != nil {
		return Effect{}, err
	}
	return s.effect(ctx, projectID, effect)
}

func (s *Store) effect(ctx context.Context, projectID int, effect engine.EffectID) (Effect, error) {
	if !id.Valid(string(effect)) {
		return Effect{}, &engine.FieldError{Field: "effect", Reason: notAnID}
	}
	row, err := s.queries.EffectGet(ctx, s.pool, dbsqlc.EffectGetParams{ProjectID: projectID, EffectID: string(effect)})
	if errors.Is(err, pgx.ErrNoRows) {
		return Effect{}, fmt.Errorf("effect %s: %w", effect, ErrNotFound)
	}
	if err != nil {
		return Effect{}, err
	}
	return newEffect(row.Effect, row.State, row.IncidentID), nil
}

// RelatedEffect is an effect that has something in common with another one.
type RelatedEffect struct {
	Effect
	// What they have in common; at least one of the three.
	SameEvent, SameSubject, SameCustomer bool
	// Later says that it was accepted after the other one. A later effect of the
	// same subject that is applied may contradict a repair of the older one.
	Later bool
}

// RelatedEffects reads the newest effects of the same event, the same subject
// and the same customer, at most 20 of each, newest first.
func (s *Store) RelatedEffects(ctx context.Context, project string, effect engine.EffectID) ([]RelatedEffect, error) {
	projectID, err := s.projectID(ctx, project)
	if err != nil {
		return nil, err
	}
	of, err := s.effect(ctx, projectID, effect)
	if err != nil {
		return nil, err
	}
	rows, err := s.queries.EffectListRelated(ctx, s.pool, dbsqlc.EffectListRelatedParams{ProjectID: projectID, EventID: of.EventID,
		Subject: of.Subject, Customer: of.Customer, EffectID: string(of.ID)})
	if err != nil {
		return nil, err
	}
	var related []RelatedEffect
	for _, row := range rows {
		r := RelatedEffect{Effect: newEffect(row.Effect, row.State, row.IncidentID)}
		r.SameEvent = r.EventID == of.EventID && r.Provider == of.Provider
		r.SameSubject = of.Subject != "" && strings.EqualFold(r.Subject, of.Subject)
		r.SameCustomer = of.Customer != "" && strings.EqualFold(r.Customer, of.Customer)
		r.Later = r.ID > of.ID
		if r.SameEvent || r.SameSubject || r.SameCustomer { // a term may be another effect's object id
			related = append(related, r)
		}
	}
	return related, nil
}

func newEffect(f dbsqlc.Effect, state, incident string) Effect {
	return Effect{
		ID: engine.EffectID(f.EffectID),
		Acceptance: engine.Acceptance{
			Key:       engine.Key{Provider: f.Provider, EventID: f.EventID, Effect: f.Effect},
			EventType: value(f.EventType), Subject: value(f.Subject), Shop: value(f.Shop), OccurredAt: value(f.OccurredAt),
			Timeout: f.Deadline.Sub(f.AcceptedAt), Amount: newMoney(f.Amount, f.Currency),
			Customer: value(f.Customer), Version: value(f.Version), Objects: f.Objects,
		},
		AcceptedAt: f.AcceptedAt, Deadline: f.Deadline, SucceededAt: value(f.SucceededAt),
		State: engine.State(state), Incident: engine.IncidentID(incident),
	}
}

// newMoney leaves out a currency without an amount, which SQL callers can record.
func newMoney(amount *int64, currency *string) engine.Money {
	if amount == nil {
		return engine.Money{}
	}
	return engine.Money{Minor: *amount, Currency: value(currency)}
}
