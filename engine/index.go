package engine

import (
	"context"
	"errors"

	"github.com/sendpromptly/sendpromptly/internal/named"
)

// index adds new effects to the search terms (see [IncidentFilter]) and to the statistics, and
// returns how many it has finished. While an older transaction is still running anywhere in the
// cluster, the newest 1,000 can already be found and are indexed again later.
func (e *Engine) index(ctx context.Context) (int, error) {
	taken, err := untilPartial(ctx, e, sweepBatch, e.queries.TermsIndex)
	_, err2 := untilPartial(ctx, e, sweepBatch, e.queries.StatisticsFold)
	return taken, named.Error("indexing", errors.Join(err, err2))
}
