package enginetest

import (
	"context"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/steps"
)

// Sweep makes one pass over everything that is due, as [engine.Engine.Run] does. It applies
// failures that were stored because their effect was locked, ends attempts whose due time has
// passed, and opens an incident for each first deadline that has passed. It returns how many
// incidents deadlines opened.
//
// An overdue effect that an earlier complete pass of this engine could not see, because its receipt
// committed late or its worker had locked it, is postponed once before its incident opens: by its
// timeout or 60 seconds, whichever is shorter.
func Sweep(ctx context.Context, e *engine.Engine) (opened int, err error) {
	return steps.Of(e).Sweep(ctx)
}

// Deliver sends the callbacks that are due, in all projects, and returns how many it sent. It
// returns when nothing more is due, or another engine is claiming callbacks, and all answers are
// recorded.
func Deliver(ctx context.Context, e *engine.Engine) (sent int, err error) {
	return steps.Of(e).Deliver(ctx)
}

// Seal numbers and hashes the new timeline entries of changed incidents, and returns how many
// changes it processed. Changes that are newer than a transaction still running anywhere in the
// cluster wait for that transaction.
func Seal(ctx context.Context, e *engine.Engine) (followed int, err error) {
	return steps.Of(e).Seal(ctx)
}

// Index adds new effects to the search terms (see [engine.IncidentFilter]) and to the statistics,
// and returns how many it has finished. While an older transaction is still running anywhere in the
// cluster, the newest 1,000 can already be found and are indexed again later.
func Index(ctx context.Context, e *engine.Engine) (indexed int, err error) {
	return steps.Of(e).Index(ctx)
}

// Purge deletes expired payload snapshots, stored answers, changes, alerts and other short-lived
// rows, and returns how many rows it deleted.
func Purge(ctx context.Context, e *engine.Engine) (rows int, err error) {
	return steps.Of(e).Purge(ctx)
}

// Retain removes effects that were settled longer ago than their project's retention, and returns
// how many. It skips projects that any engine has started within the last hour.
func Retain(ctx context.Context, e *engine.Engine) (removed int, err error) {
	return steps.Of(e).Retain(ctx)
}

// IncidentOf returns the incident of the effect with this key. It returns [engine.ErrUnknownEffect]
// for a key without a receipt, and [engine.ErrNotFound] if the effect never had an incident.
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
