package engine

import (
	"context"
	"errors"

	"github.com/sendpromptly/sendpromptly/internal/named"
	"github.com/sendpromptly/sendpromptly/internal/retention"
)

// retain removes the effects of every project with retention on that were
// settled for longer than the project keeps them, with all their rows, and
// returns how many went. A project that any engine began within the last hour
// is left alone. The effects leave in short transactions that wait for nobody,
// with rests between them, so that the app's own work hardly slows down: a
// large backlog takes hours, and goes on in the next hour where ctx ends first.
//
// Never removed are effects that are awaiting, that have an open incident or an
// issued proof, or to which anything happened within the time, a duplicate of
// their receipt included. One that Postgres refuses to remove stays with a note,
// which counts as happening, and holds up no other. `spadmin retain --archive`
// writes them to files first.
func (e *Engine) retain(ctx context.Context) (gone int, err error) {
	projects, err := e.queries.RetentionClaim(ctx, e.pool)
	if err != nil {
		return 0, named.Error("retention", err)
	}
	var failures []error
	for _, project := range projects {
		_, n, err := retention.Walk(ctx, e.pool, e.queries, &retention.Pace{}, project.Name, project.SettledBefore, false)
		gone += n
		if err != nil {
			failures = append(failures, named.Error("retention of "+project.Name, err))
		}
	}
	sayCount(ctx, e.cfg.Logger, saysRetained, "retained", gone)
	return gone, errors.Join(failures...)
}
