package incidents

import (
	"context"
	"time"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/dbsqlc"
	"github.com/sendpromptly/sendpromptly/internal/input"
	"github.com/sendpromptly/sendpromptly/internal/pg"
	"github.com/sendpromptly/sendpromptly/internal/store"
)

// AttemptHistory is one reprocess request with its callbacks.
type AttemptHistory struct {
	Number      int
	ReplayID    string
	Operator    engine.Operator
	RequestedAt time.Time
	// FinishedAt is zero while the attempt is in flight.
	FinishedAt time.Time
	// Result is applied, failed, missing, gave_up or stopped; empty while in flight.
	Result string
	// Delivery is the state of the callback: waiting, leased (being sent), accepted (answered with
	// 2xx), gave_up or cancelled.
	Delivery string
	// Tries counts the callbacks that were started. NextAt is when the next one is sent; zero
	// unless one is waiting.
	Tries  int
	NextAt time.Time
	// Callbacks are the ones that have ended, oldest first.
	Callbacks []Callback
}

// Callback is one request to the repair endpoint.
type Callback struct {
	// At is when it ended.
	At  time.Time
	URL string
	// Status is the answer's status, 0 if there was no answer.
	Status   int
	Duration time.Duration
	// Answer is the beginning of the answer's body: untrusted text.
	Answer string
	// Error says why there was no answer.
	Error string
}

// Attempts returns the newest 100 attempts of an incident, newest first, with their callbacks. It
// returns none for another project's incident.
func (i *Incidents) Attempts(ctx context.Context, project string, incident engine.IncidentID) ([]AttemptHistory, error) {
	if err := store.Invalid("incident", input.UUID(string(incident))); err != nil {
		return nil, err
	}
	projectID, err := i.projects.ID(ctx, project)
	if err != nil {
		return nil, err
	}
	rows, err := i.db.Queries.AttemptList(
		ctx,
		i.db.Pool,
		dbsqlc.AttemptListParams{ProjectID: projectID, IncidentID: string(incident)},
	)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	entries, err := i.db.Queries.CallbackEntryList(
		ctx,
		i.db.Pool,
		dbsqlc.CallbackEntryListParams{ProjectID: projectID, EffectID: rows[0].EffectID},
	)
	if err != nil {
		return nil, err
	}
	callbacks := map[string][]Callback{}
	for i := len(entries) - 1; i >= 0; i-- {
		e := entries[i]
		callbacks[pg.Value(e.ReplayID)] = append(callbacks[pg.Value(e.ReplayID)], Callback{
			At:     e.At,
			URL:    pg.Value(e.Url),
			Status: pg.Value(e.Status),
			Duration: time.Duration(
				pg.Value(e.DurationMs),
			) * time.Millisecond,
			Answer: pg.Value(e.Answer),
			Error:  pg.Value(e.ErrorMessage),
		})
	}
	attempts := make([]AttemptHistory, len(rows))
	for i, r := range rows {
		attempts[i] = AttemptHistory{
			Number: r.Attempt.Number, ReplayID: r.Attempt.ReplayID, Operator: engine.Operator(r.Attempt.Operator),
			RequestedAt: r.Attempt.RequestedAt, FinishedAt: pg.Value(r.Attempt.FinishedAt), Result: pg.Value(r.Attempt.Result),
			Delivery: r.CallbackState, Tries: r.Try, Callbacks: callbacks[r.Attempt.ReplayID],
		}
		if r.CallbackState == "waiting" {
			attempts[i].NextAt = r.NextAt
		}
	}
	return attempts, nil
}
