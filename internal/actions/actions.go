// Package actions performs operators' actions on incidents. The engine's methods, the admin API,
// the console, spadmin and plans share it.
package actions

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/internal/callback"
	"github.com/sendpromptly/sendpromptly/internal/dbsqlc"
	"github.com/sendpromptly/sendpromptly/internal/input"
	"github.com/sendpromptly/sendpromptly/internal/pg"
)

// The actions, with the names that every surface uses.
const (
	Reprocess = "reprocess"
	Stop      = "stop"
	Close     = "close"
	Reopen    = "reopen"
	Note      = "note"
	TryNow    = "try_now"
)

// ErrNotFound means that the project has no such incident or effect.
var ErrNotFound = errors.New("sendpromptly: not found in this project")

// InvalidError says which part of a request is invalid. Nothing was sent to Postgres.
type InvalidError struct {
	// Field is id, by or note.
	Field string
	// Reason completes the sentence that starts with the field.
	Reason string
}

func (e *InvalidError) Error() string { return e.Field + " " + e.Reason }

// RefusedError says why an action was refused. Nothing changed.
type RefusedError struct {
	// Action is the refused action.
	Action string
	// State is the incident's current state.
	State string
	// Reason says why, and what to do instead.
	Reason string
	// Changed is true if the incident no longer has the expected revision.
	Changed bool
	// Revision is the incident's current revision.
	Revision int
}

func (e *RefusedError) Error() string { return e.Action + " refused: " + e.Reason }

// Request is an action on an incident.
type Request struct {
	// Action is one of the constants of this package.
	Action   string
	Incident string
	// By is the operator, 1 to 255 characters.
	By string
	// Note is for close, reopen and note: 1 to 2,000 characters.
	Note string
	// Revision is the one that the operator saw, nil for any.
	Revision *int
}

// Result is the result of a [Request].
type Result struct {
	State    string
	Revision int
	// Attempt, ReplayID, RequestedAt and DueAt describe the new attempt after a reprocess.
	Attempt            int
	ReplayID           string
	RequestedAt, DueAt time.Time
}

// Do performs one action in the caller's transaction, which must be READ COMMITTED. After an
// [*InvalidError], a [*RefusedError] or [ErrNotFound], nothing has changed.
func Do(ctx context.Context, tx pgx.Tx, project string, r Request) (Result, error) {
	if err := r.check(); err != nil {
		return Result{}, err
	}
	done, refusal, err := r.run(ctx, tx, project)
	switch {
	case err != nil:
		return Result{}, err
	case refusal == "":
		return done, nil
	case refusal == "not_found":
		return Result{}, fmt.Errorf("%w: incident %s", ErrNotFound, r.Incident)
	}
	return Result{}, &RefusedError{
		Action: r.Action, State: done.State, Reason: Reasons[refusal], Changed: refusal == "changed", Revision: done.Revision,
	}
}

func (r Request) check() error {
	if reason := input.UUID(r.Incident); reason != "" {
		return &InvalidError{"id", reason}
	}
	if reason := input.Present(r.By, input.NameLimit); reason != "" {
		return &InvalidError{"by", reason}
	}
	switch r.Action {
	case Close, Reopen, Note:
		if reason := input.Present(r.Note, input.NoteLimit); reason != "" {
			return &InvalidError{"note", reason}
		}
	}
	return nil
}

// run calls the function of sql/functions/actions.sql that has the action's name.
func (r Request) run(ctx context.Context, tx pgx.Tx, project string) (done Result, refusal string, err error) {
	q := dbsqlc.New()
	switch r.Action {
	case Reprocess:
		row, err := q.IncidentReprocess(ctx, tx, dbsqlc.IncidentReprocessParams{
			IncidentID: r.Incident, Operator: r.By, LastTry: pg.Interval(callback.Span()), Project: project, Revision: r.Revision,
		})
		return Result{
			State:       row.State,
			Revision:    row.Revision,
			Attempt:     row.Number,
			ReplayID:    row.ReplayID,
			RequestedAt: row.RequestedAt,
			DueAt:       row.DueAt,
		}, row.Refusal, err
	case Stop:
		row, err := q.IncidentStop(ctx, tx, dbsqlc.IncidentStopParams{
			IncidentID: r.Incident, Operator: r.By, Project: project, Revision: r.Revision,
		})
		return Result{State: row.State, Revision: row.Revision}, row.Refusal, err
	case Close:
		row, err := q.IncidentClose(ctx, tx, dbsqlc.IncidentCloseParams{
			IncidentID: r.Incident, Operator: r.By, Note: r.Note, Project: project, Revision: r.Revision,
		})
		return Result{State: row.State, Revision: row.Revision}, row.Refusal, err
	case Reopen:
		row, err := q.IncidentReopen(ctx, tx, dbsqlc.IncidentReopenParams{
			IncidentID: r.Incident, Operator: r.By, Note: r.Note, Project: project, Revision: r.Revision,
		})
		return Result{State: row.State, Revision: row.Revision}, row.Refusal, err
	case Note:
		row, err := q.IncidentNote(ctx, tx, dbsqlc.IncidentNoteParams{
			IncidentID: r.Incident, Operator: r.By, Note: r.Note, Project: project, Revision: r.Revision,
		})
		return Result{State: row.State, Revision: row.Revision}, row.Refusal, err
	case TryNow:
		row, err := q.IncidentTryNow(ctx, tx, dbsqlc.IncidentTryNowParams{
			IncidentID: r.Incident, Operator: r.By, Project: project, Revision: r.Revision,
		})
		return Result{State: row.State, Revision: row.Revision}, row.Refusal, err
	}
	return Result{}, "", &InvalidError{"action", "must be reprocess, stop, close, reopen, note or try_now"}
}
