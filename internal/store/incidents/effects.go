package incidents

import (
	"context"
	"errors"
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

// Effects returns effects, with or without an incident.
type Effects struct {
	db       *store.DB
	projects *projects.Projects
}

// Effect is an accepted effect, without the payload, and its current state.
type Effect struct {
	ID engine.EffectID
	engine.Acceptance
	AcceptedAt time.Time
	// Deadline is the first deadline, which never moves.
	Deadline time.Time
	// SucceededAt is when the effect succeeded without an incident; zero otherwise.
	SucceededAt time.Time
	State       engine.State
	// Incident is empty if the effect never had one.
	Incident engine.IncidentID
}

// EffectFilter selects effects of one project.
type EffectFilter struct {
	Project string
	// Term is any id of the effect: subject, customer, source event or an object id of the
	// provider, in any case; the event's id; or our id of the effect, its incident or an attempt.
	// Empty selects all effects. Subject, customer and object ids are found shortly after the
	// effect was accepted.
	Term string
	// Before is the Next of the page before this one; see [EffectPage].
	Before engine.EffectID
	// Limit is the page size: 50 by default, at most 500.
	Limit int
}

// EffectPage is one page of effects, newest first.
type EffectPage struct {
	Effects []Effect
	// Next is the Before of the next page; it is empty on the last page.
	Next engine.EffectID
}

// List returns one page of a project's effects, newest first, with or without an incident.
func (e *Effects) List(ctx context.Context, f EffectFilter) (EffectPage, error) {
	params := dbsqlc.EffectListParams{Project: f.Project, Before: input.LastID, Page: 51}
	if f.Limit < 0 || f.Limit > 500 {
		return EffectPage{}, &engine.FieldError{Field: "Limit", Reason: "must be between 1 and 500"}
	}
	if f.Limit > 0 {
		params.Page = f.Limit + 1
	}
	if f.Before != "" {
		if input.UUID(string(f.Before)) != "" {
			return EffectPage{}, &engine.FieldError{Field: "Before", Reason: input.NotAnID}
		}
		params.Before = string(f.Before)
	}
	if term := strings.TrimSpace(f.Term); term != "" {
		if err := store.Invalid("Term", input.Text(term, input.NameLimit)); err != nil {
			return EffectPage{}, err
		}
		params.Term = &term
	}
	if _, err := e.projects.ID(ctx, f.Project); err != nil {
		return EffectPage{}, err
	}
	rows, err := e.db.Queries.EffectList(ctx, e.db.Pool, params)
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

// Get returns one effect, or [engine.ErrNotFound].
func (e *Effects) Get(ctx context.Context, project string, effect engine.EffectID) (Effect, error) {
	projectID, err := e.projects.ID(ctx, project)
	if err != nil {
		return Effect{}, err
	}
	return e.get(ctx, projectID, effect)
}

func (e *Effects) get(ctx context.Context, projectID int, effect engine.EffectID) (Effect, error) {
	if input.UUID(string(effect)) != "" {
		return Effect{}, &engine.FieldError{Field: "effect", Reason: input.NotAnID}
	}
	row, err := e.db.Queries.EffectGet(ctx, e.db.Pool, dbsqlc.EffectGetParams{ProjectID: projectID, EffectID: string(effect)})
	if errors.Is(err, pgx.ErrNoRows) {
		return Effect{}, store.NotFound("effect %s", effect)
	}
	if err != nil {
		return Effect{}, err
	}
	return newEffect(row.Effect, row.State, row.IncidentID), nil
}

// RelatedEffect is an effect that has something in common with another one.
type RelatedEffect struct {
	Effect
	// What they have in common: at least one of the three is true.
	SameEvent, SameSubject, SameCustomer bool
	// Later is true if it was accepted after the other one. If it has the same subject and is
	// applied, repairing the older one may conflict with it.
	Later bool
}

// Related returns the newest effects of the same event, the same subject and the same customer, at
// most 20 of each, newest first.
func (e *Effects) Related(ctx context.Context, project string, effect engine.EffectID) ([]RelatedEffect, error) {
	projectID, err := e.projects.ID(ctx, project)
	if err != nil {
		return nil, err
	}
	of, err := e.get(ctx, projectID, effect)
	if err != nil {
		return nil, err
	}
	rows, err := e.db.Queries.EffectListRelated(ctx, e.db.Pool, dbsqlc.EffectListRelatedParams{
		ProjectID: projectID, EventID: of.EventID,
		Subject: of.Subject, Customer: of.Customer, EffectID: string(of.ID),
	})
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

// AcceptedAgain is a receipt of a known key that differs from the first one, or came
// for an effect that was closed. Nothing moved: an operator decides.
type AcceptedAgain struct {
	engine.Key
	ID engine.EffectID
	// Subject is the first receipt's, Note says what differs.
	Subject, Note string
	At            time.Time
}

// AcceptedAgain reads the newest of a project, at most most.
func (e *Effects) AcceptedAgain(ctx context.Context, project string, most int) ([]AcceptedAgain, error) {
	projectID, err := e.projects.ID(ctx, project)
	if err != nil {
		return nil, err
	}
	params := dbsqlc.EffectListAcceptedAgainParams{ProjectID: projectID, Most: most}
	rows, err := e.db.Queries.EffectListAcceptedAgain(ctx, e.db.Pool, params)
	list := make([]AcceptedAgain, len(rows))
	for i, row := range rows {
		f := newEffect(row.Effect, "", "")
		list[i] = AcceptedAgain{Key: f.Key, ID: f.ID, Subject: f.Subject, Note: row.Note, At: row.At}
	}
	return list, err
}

func newEffect(f dbsqlc.Effect, state, incident string) Effect {
	return Effect{
		ID: engine.EffectID(f.EffectID),
		Acceptance: engine.Acceptance{
			Key:         engine.Key{Provider: f.Provider, EventID: f.EventID, Effect: f.Effect},
			EventType:   pg.Value(f.EventType),
			Subject:     pg.Value(f.Subject),
			Merchant:    pg.Value(f.Merchant),
			SourceEvent: pg.Value(f.SourceEvent),
			OccurredAt:  pg.Value(f.OccurredAt),
			Timeout:     f.Deadline.Sub(f.AcceptedAt),
			Amount:      newMoney(f.Amount, f.Currency),
			Customer:    pg.Value(f.Customer),
			Version:     pg.Value(f.Version),
			Objects:     f.Objects,
		},
		AcceptedAt: f.AcceptedAt, Deadline: f.Deadline, SucceededAt: pg.Value(f.SucceededAt),
		State: engine.State(state), Incident: engine.IncidentID(incident),
	}
}

// newMoney ignores a currency without an amount, which SQL callers can record.
func newMoney(amount *int64, currency *string) engine.Money {
	if amount == nil {
		return engine.Money{}
	}
	return engine.Money{Minor: *amount, Currency: pg.Value(currency)}
}
