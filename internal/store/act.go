package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/callback"
	"github.com/sendpromptly/sendpromptly/internal/dbsqlc"
	"github.com/sendpromptly/sendpromptly/internal/refusals"
)

// Act is an operator's action on an incident.
type Act struct {
	// Kind is reprocess, stop, close, note or try_now.
	Kind     string
	Project  string
	Incident engine.IncidentID
	By       engine.Operator
	// Note is for close and note: 1 to 2,000 bytes.
	Note string
	// Revision is the one that the operator saw, nil for any.
	Revision *int
}

// Acted is what came of an [Act].
type Acted struct {
	State    engine.State
	Revision int
	// Attempt, ReplayID, RequestedAt and DueAt are the new attempt's, after a reprocess.
	Attempt            int
	ReplayID           string
	RequestedAt, DueAt time.Time
}

// Act does in the caller's transaction what the engine's methods of these names
// do in one of their own, so that an answer can be kept with it. Errors are
// theirs: [*engine.RefusedError], [ErrNotFound].
func (s *Store) Act(ctx context.Context, tx pgx.Tx, a Act) (Acted, error) {
	if err := a.check(); err != nil {
		return Acted{}, err
	}
	var done Acted
	var refusal string
	var err error
	switch a.Kind {
	case "reprocess":
		var r dbsqlc.IncidentReprocessRow
		r, err = s.queries.IncidentReprocess(ctx, tx, dbsqlc.IncidentReprocessParams{IncidentID: string(a.Incident), Operator: string(a.By),
			LastTry: seconds(callback.Span()), Project: a.Project, Revision: a.Revision})
		refusal = r.Refusal
		done = Acted{State: engine.State(r.State), Revision: r.Revision, Attempt: r.Number, ReplayID: r.ReplayID, RequestedAt: r.RequestedAt, DueAt: r.DueAt}
	case "stop":
		var r dbsqlc.IncidentStopRow
		r, err = s.queries.IncidentStop(ctx, tx, dbsqlc.IncidentStopParams{IncidentID: string(a.Incident), Operator: string(a.By),
			Project: a.Project, Revision: a.Revision})
		refusal, done = r.Refusal, Acted{State: engine.State(r.State), Revision: r.Revision}
	case "close":
		var r dbsqlc.IncidentCloseRow
		r, err = s.queries.IncidentClose(ctx, tx, dbsqlc.IncidentCloseParams{IncidentID: string(a.Incident), Operator: string(a.By),
			Note: a.Note, Project: a.Project, Revision: a.Revision})
		refusal, done = r.Refusal, Acted{State: engine.State(r.State), Revision: r.Revision}
	case "note":
		var r dbsqlc.IncidentNoteRow
		r, err = s.queries.IncidentNote(ctx, tx, dbsqlc.IncidentNoteParams{IncidentID: string(a.Incident), Operator: string(a.By),
			Note: a.Note, Project: a.Project, Revision: a.Revision})
		refusal, done = r.Refusal, Acted{State: engine.State(r.State), Revision: r.Revision}
	case "try_now":
		var r dbsqlc.IncidentTryNowRow
		r, err = s.queries.IncidentTryNow(ctx, tx, dbsqlc.IncidentTryNowParams{IncidentID: string(a.Incident), Operator: string(a.By),
			Project: a.Project, Revision: a.Revision})
		refusal, done = r.Refusal, Acted{State: engine.State(r.State), Revision: r.Revision}
	default:
		err = &engine.FieldError{Field: "kind", Reason: "must be reprocess, stop, close, note or try_now"}
	}
	switch {
	case err != nil || refusal == "":
		return done, err
	case refusal == refusals.NotFound:
		return Acted{}, fmt.Errorf("incident %s: %w", a.Incident, ErrNotFound)
	}
	return Acted{}, &engine.RefusedError{Action: a.Kind, State: done.State, Reason: refusals.Reasons[refusal],
		Changed: refusal == refusals.Changed, Revision: done.Revision}
}

func (a Act) check() error {
	if err := checkID("incident", string(a.Incident)); err != nil {
		return err
	}
	if err := checkPresent("by", string(a.By), 255); err != nil {
		return err
	}
	if a.Kind == "close" || a.Kind == "note" {
		return checkPresent("note", a.Note, 2000)
	}
	return nil
}
