package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/internal/callback"
	"github.com/sendpromptly/sendpromptly/internal/dbsqlc"
	"github.com/sendpromptly/sendpromptly/internal/named"
	"github.com/sendpromptly/sendpromptly/internal/refusals"
)

// Operator is the person or token that acts, as the timeline shows it: an
// address, a name or a label of 1 to 255 bytes.
type Operator string

func (o Operator) validate() error { return validPresent("by", string(o), 255) }

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
	if err := validAction(id, by); err != nil {
		return Attempt{}, err
	}
	row, err := inTx(ctx, e.pool, func(tx pgx.Tx) (dbsqlc.IncidentReprocessRow, error) {
		return e.queries.IncidentReprocess(ctx, tx, dbsqlc.IncidentReprocessParams{IncidentID: string(id), Operator: string(by),
			LastTry: interval(callback.Span()), Project: e.cfg.Project, Revision: revisionOf(options)})
	})
	if err != nil {
		return Attempt{}, named.Error("reprocessing", err)
	}
	if err := refusal("reprocess", id, row.State, row.Revision, row.Refusal); err != nil {
		return Attempt{}, err
	}
	return Attempt{IncidentID: id, ReplayID: row.ReplayID, Number: row.Number, RequestedAt: row.RequestedAt, DueAt: row.DueAt,
		Revision: row.Revision}, nil
}

// Stop ends the attempt in flight and cancels its remaining callbacks: the
// incident is failed then. Where none is in flight only the entry is written.
// It returns the state afterwards.
func (e *Engine) Stop(ctx context.Context, id IncidentID, by Operator, options ...ActionOption) (State, error) {
	if err := validAction(id, by); err != nil {
		return "", err
	}
	params := dbsqlc.IncidentStopParams{IncidentID: string(id), Operator: string(by), Project: e.cfg.Project, Revision: revisionOf(options)}
	row, err := inTx(ctx, e.pool, func(tx pgx.Tx) (dbsqlc.IncidentStopRow, error) { return e.queries.IncidentStop(ctx, tx, params) })
	if err != nil {
		return "", named.Error("stopping", err)
	}
	return State(row.State), refusal("stop", id, row.State, row.Revision, row.Refusal)
}

// CloseIncident puts an incident away without an outcome; note says why and is cut at
// 2,000 characters. It is refused while an attempt is in flight and where the
// effect is applied or closed ([*RefusedError]).
func (e *Engine) CloseIncident(ctx context.Context, id IncidentID, by Operator, note string, options ...ActionOption) error {
	if err := validAction(id, by); err != nil {
		return err
	}
	if note = cut(note, 2000); note == "" {
		return &FieldError{"note", "is empty: say why no repair is needed"}
	}
	params := dbsqlc.IncidentCloseParams{IncidentID: string(id), Operator: string(by), Note: note, Project: e.cfg.Project, Revision: revisionOf(options)}
	row, err := inTx(ctx, e.pool, func(tx pgx.Tx) (dbsqlc.IncidentCloseRow, error) { return e.queries.IncidentClose(ctx, tx, params) })
	if err != nil {
		return named.Error("closing", err)
	}
	return refusal("close", id, row.State, row.Revision, row.Refusal)
}

// Note writes into the timeline what an operator has to say, cut at 2,000
// characters. It moves nothing and is allowed in every state.
func (e *Engine) Note(ctx context.Context, id IncidentID, by Operator, note string, options ...ActionOption) error {
	if err := validAction(id, by); err != nil {
		return err
	}
	if note = cut(note, 2000); note == "" {
		return &FieldError{"note", "is empty"}
	}
	params := dbsqlc.IncidentNoteParams{IncidentID: string(id), Operator: string(by), Note: note, Project: e.cfg.Project, Revision: revisionOf(options)}
	row, err := inTx(ctx, e.pool, func(tx pgx.Tx) (dbsqlc.IncidentNoteRow, error) { return e.queries.IncidentNote(ctx, tx, params) })
	if err != nil {
		return named.Error("noting", err)
	}
	return refusal("note", id, row.State, row.Revision, row.Refusal)
}

// TryNow lets the next scheduled callback of the attempt in flight go out at
// once. It is refused without an attempt, while a callback is being sent, and
// after one was answered ([*RefusedError]).
func (e *Engine) TryNow(ctx context.Context, id IncidentID, by Operator, options ...ActionOption) error {
	if err := validAction(id, by); err != nil {
		return err
	}
	params := dbsqlc.IncidentTryNowParams{IncidentID: string(id), Operator: string(by), Project: e.cfg.Project, Revision: revisionOf(options)}
	row, err := inTx(ctx, e.pool, func(tx pgx.Tx) (dbsqlc.IncidentTryNowRow, error) { return e.queries.IncidentTryNow(ctx, tx, params) })
	if err != nil {
		return named.Error("trying now", err)
	}
	return refusal("try now", id, row.State, row.Revision, row.Refusal)
}

func validAction(id IncidentID, by Operator) error {
	if err := validID("id", string(id)); err != nil {
		return err
	}
	return by.validate()
}

func refusal(action string, id IncidentID, state string, revision int, code string) error {
	switch code {
	case "":
		return nil
	case refusals.NotFound:
		return fmt.Errorf("%w: incident %s", ErrNotFound, id)
	}
	return &RefusedError{Action: action, State: State(state), Reason: refusals.Reasons[code], Revision: revision,
		Changed: code == refusals.Changed}
}
