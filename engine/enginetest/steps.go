package enginetest

import (
	"context"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/steps"
)

// Sweep is one pass over everything whose time has come, as [engine.Engine.Run]
// makes it: it records the failures that had found their effect locked, ends
// attempts whose due time passed, and opens an incident for each first deadline
// that passed. It returns how many incidents it opened.
//
// An overdue effect that an earlier complete pass of this engine could not see
// (accepted in a transaction that committed late, or locked by its worker) is
// held for min(timeout, 60 s) once before its incident opens.
func Sweep(ctx context.Context, e *engine.Engine) (opened int, err error) {
	return steps.Of(e).Sweep(ctx)
}

// Deliver sends the callbacks that are due, of all projects, and returns how
// many it sent. It ends when nothing is due, or another engine is claiming just
// then, and every answer is recorded.
func Deliver(ctx context.Context, e *engine.Engine) (sent int, err error) {
	return steps.Of(e).Deliver(ctx)
}

// Seal numbers and hashes the new timeline entries of incidents that changed,
// and returns how many changes it followed. A transaction that is still running
// anywhere in the cluster holds sealing up behind it.
func Seal(ctx context.Context, e *engine.Engine) (followed int, err error) {
	return steps.Of(e).Seal(ctx)
}

// Index folds new effects into the search terms (see [engine.IncidentFilter]) and
// into the statistics, and returns how many it is done with. While a transaction
// of before them is still running anywhere in the cluster, the newest 1,000 can
// be found already and are indexed again later.
func Index(ctx context.Context, e *engine.Engine) (indexed int, err error) {
	return steps.Of(e).Index(ctx)
}

// Purge deletes payload snapshots, kept answers, changes, old alerts and the
// like, each after its time, and returns how many rows went.
func Purge(ctx context.Context, e *engine.Engine) (rows int, err error) {
	return steps.Of(e).Purge(ctx)
}

// Retain removes settled effects of the projects that have a retention, and
// returns how many went. A project that any engine began within the last hour is
// left alone.
func Retain(ctx context.Context, e *engine.Engine) (removed int, err error) {
	return steps.Of(e).Retain(ctx)
}

// IncidentOf reads the incident of the effect that a key names:
// [engine.ErrUnknownEffect] without a receipt, [engine.ErrNotFound] where it never
// had an incident.
func IncidentOf(ctx context.Context, e *engine.Engine, k engine.Key) (engine.Incident, error) {
	effect, err := e.Find(ctx, k)
	if err != nil {
		return engine.Incident{}, err
	}
	if effect.IncidentID == "" {
		return engine.Incident{}, engine.ErrNotFound
	}
	return e.Incident(ctx, effect.IncidentID)
}
