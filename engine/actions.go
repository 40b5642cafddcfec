package engine

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/internal/actions"
	"github.com/sendpromptly/sendpromptly/internal/named"
	"github.com/sendpromptly/sendpromptly/internal/pg"
)

// Operator is the person or token that acts, as the timeline shows it: an email address, a name or
// a label of 1 to 255 characters.
type Operator string

// IfRevision makes an action conditional on the incident's Revision still being n, the one that the
// operator saw. If it has changed, the action does nothing and returns a [*RefusedError] with the
// current state and revision.
func IfRevision(n int) ActionOption { return func(a *action) { a.revision = &n } }

// ActionOption adds a condition to an operator's action; see [IfRevision].
type ActionOption func(*action)

type action struct{ revision *int }

// revisionOf returns the revision that an action requires, nil for any.
func revisionOf(options []ActionOption) *int {
	var a action
	for _, option := range options {
		if option != nil {
			option(&a)
		}
	}
	return a.revision
}

// Attempt is one reprocess request.
type Attempt struct {
	IncidentID IncidentID
	// ReplayID is the attempt's id in callbacks. All callbacks of the attempt have the same one.
	ReplayID string
	// Number counts the incident's attempts from 1.
	Number      int
	RequestedAt time.Time
	// DueAt is when the attempt ends as failed if no outcome arrives. A 2xx answer or a Retry-After
	// moves it.
	DueAt time.Time
	// Revision is the incident's current revision.
	Revision int
}

// Reprocess asks the app to repair the effect. A signed callback is due at once; the next engine
// that delivers callbacks sends it. A closed incident reopens. Reprocess returns a [*RefusedError]
// while an attempt is in flight, if the effect is applied, and if the project has no repair URL.
func (e *Engine) Reprocess(ctx context.Context, id IncidentID, by Operator, options ...ActionOption) (Attempt, error) {
	done, err := e.act(ctx, actions.Reprocess, id, by, "", options)
	if err != nil {
		return Attempt{}, named.Error("reprocessing", err)
	}
	return Attempt{
		IncidentID:  id,
		ReplayID:    done.ReplayID,
		Number:      done.Attempt,
		RequestedAt: done.RequestedAt,
		DueAt:       done.DueAt,
		Revision:    done.Revision,
	}, nil
}

// Stop ends the attempt in flight and cancels its remaining callbacks; the effect is then failed.
// If no attempt is in flight, Stop only writes a timeline entry. It returns the new state.
func (e *Engine) Stop(ctx context.Context, id IncidentID, by Operator, options ...ActionOption) (State, error) {
	done, err := e.act(ctx, actions.Stop, id, by, "", options)
	return State(done.State), err
}

// CloseIncident closes an incident without an outcome. note says why: 1 to 2,000 characters. It
// returns a [*RefusedError] while an attempt is in flight and if the effect is applied or already
// closed.
func (e *Engine) CloseIncident(ctx context.Context, id IncidentID, by Operator, note string, options ...ActionOption) error {
	_, err := e.act(ctx, actions.Close, id, by, note, options)
	return err
}

// Reopen opens a closed incident again and returns the new state: failed or missing, depending on
// its cause. note says why: 1 to 2,000 characters. An alert is sent as for a new incident, and
// Apply runs the effect again. Nothing is sent to the app; [Engine.Reprocess] does that. Reopen
// returns a [*RefusedError] if the incident is not closed.
func (e *Engine) Reopen(ctx context.Context, id IncidentID, by Operator, note string, options ...ActionOption) (State, error) {
	done, err := e.act(ctx, actions.Reopen, id, by, note, options)
	return State(done.State), err
}

// Note adds an operator's note of 1 to 2,000 characters to the timeline. It changes no state and is
// allowed in every state.
func (e *Engine) Note(ctx context.Context, id IncidentID, by Operator, note string, options ...ActionOption) error {
	_, err := e.act(ctx, actions.Note, id, by, note, options)
	return err
}

// TryNow sends the next scheduled callback of the attempt in flight at once. It returns a
// [*RefusedError] if no attempt is in flight, while a callback is being sent, and after the app has
// accepted one.
func (e *Engine) TryNow(ctx context.Context, id IncidentID, by Operator, options ...ActionOption) error {
	_, err := e.act(ctx, actions.TryNow, id, by, "", options)
	return err
}

// act performs an operator's action in a transaction of its own.
func (e *Engine) act(
	ctx context.Context,
	kind string,
	id IncidentID,
	by Operator,
	note string,
	options []ActionOption,
) (actions.Result, error) {
	request := actions.Request{
		Action: kind, Incident: string(id), By: string(by), Note: note, Revision: revisionOf(options),
	}
	done, err := pg.InTx(ctx, e.pool, func(tx pgx.Tx) (actions.Result, error) {
		return actions.Do(ctx, tx, e.cfg.Project, request)
	})
	return done, named.Error(kind+" of incident "+string(id), actionError(err))
}

// actionError turns the errors of internal/actions into the engine's own.
func actionError(err error) error {
	var (
		invalid *actions.InvalidError
		refused *actions.RefusedError
	)
	switch {
	case errors.As(err, &invalid):
		return &FieldError{invalid.Field, invalid.Reason}
	case errors.As(err, &refused):
		return &RefusedError{
			Action:   refused.Action,
			State:    State(refused.State),
			Reason:   refused.Reason,
			Changed:  refused.Changed,
			Revision: refused.Revision,
		}
	}
	return err
}
