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

// Operator is the person or token that acts, as the timeline shows it: an
// address, a name or a label of 1 to 255 characters.
type Operator string

// IfRevision makes an action depend on the incident's Revision being n, the one
// that the operator saw: where it has changed since, nothing is done and the
// [*RefusedError] says what it is now.
func IfRevision(n int) ActionOption { return func(a *action) { a.revision = &n } }

// ActionOption adds to an operator's action a condition: [IfRevision].
type ActionOption func(*action)

type action struct{ revision *int }

// revisionOf is the revision that an action depends on, nil for any.
func revisionOf(options []ActionOption) *int {
	var a action
	for _, option := range options {
		if option != nil {
			option(&a)
		}
	}
	return a.revision
}

// Attempt is one asking of an operator to repair.
type Attempt struct {
	IncidentID IncidentID
	// ReplayID is the attempt's id on the wire, the same for all its callbacks.
	ReplayID string
	// Number counts the incident's attempts from 1.
	Number      int
	RequestedAt time.Time
	// DueAt is when the attempt is given up if no outcome arrives; an answer of
	// 2xx or a Retry-After moves it.
	DueAt time.Time
	// Revision is the incident's revision now.
	Revision int
}

// Reprocess asks the app to repair: a signed callback is due at once and is
// delivered by the next Deliver of any engine. It is refused while an attempt is
// in flight, where the effect is applied, and without a repair URL
// ([*RefusedError]). A closed incident reopens.
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

// Stop ends the attempt in flight and cancels its remaining callbacks: the
// incident is failed then. Where none is in flight only the entry is written.
// It returns the state afterwards.
func (e *Engine) Stop(ctx context.Context, id IncidentID, by Operator, options ...ActionOption) (State, error) {
	done, err := e.act(ctx, actions.Stop, id, by, "", options)
	return State(done.State), err
}

// CloseIncident puts an incident away without an outcome. note says why: 1 to 2,000
// characters. It is refused while an attempt is in flight and where the effect
// is applied or closed ([*RefusedError]).
func (e *Engine) CloseIncident(ctx context.Context, id IncidentID, by Operator, note string, options ...ActionOption) error {
	_, err := e.act(ctx, actions.Close, id, by, note, options)
	return err
}

// Reopen takes a closed incident up again, as what it was: failed or missing, by
// its cause. note says why: 1 to 2,000 characters. Its alert is due as if it had
// just opened, and Apply runs the effect again. Nothing is sent to the app:
// [Engine.Reprocess] does that. It is refused where the incident is not closed
// ([*RefusedError]). It returns the state afterwards.
func (e *Engine) Reopen(ctx context.Context, id IncidentID, by Operator, note string, options ...ActionOption) (State, error) {
	done, err := e.act(ctx, actions.Reopen, id, by, note, options)
	return State(done.State), err
}

// Note writes an operator's note into the timeline: 1 to 2,000 characters. It
// moves nothing and is allowed in every state.
func (e *Engine) Note(ctx context.Context, id IncidentID, by Operator, note string, options ...ActionOption) error {
	_, err := e.act(ctx, actions.Note, id, by, note, options)
	return err
}

// TryNow lets the next scheduled callback of the attempt in flight go out at
// once. It is refused without an attempt, while a callback is being sent, and
// after one was answered ([*RefusedError]).
func (e *Engine) TryNow(ctx context.Context, id IncidentID, by Operator, options ...ActionOption) error {
	_, err := e.act(ctx, actions.TryNow, id, by, "", options)
	return err
}

// act does an operator's action in a transaction of its own.
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
