package engine

import (
	"context"
	"errors"

	"github.com/sendpromptly/sendpromptly/internal/named"
	"github.com/sendpromptly/sendpromptly/internal/retention"
)

// retain removes effects that were settled longer ago than their project's retention, with all
// their rows, and returns how many. It skips projects that any engine has started within the last
// hour. It uses short transactions that wait for no lock, with pauses between them, so that the app
// hardly slows down. A large backlog takes hours; if ctx ends first, it continues in the next hour.
//
// It never removes an effect that is awaiting, has an open incident or an issued proof, or had any
// timeline entry within the retention period, including a duplicate receipt. An effect that
// Postgres refuses to remove gets a note on its timeline, so it is retried one retention period
// later, and does not block the others. `spadmin retain --archive` writes the effects to files
// first.
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
