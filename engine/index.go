package engine

import (
	"context"
	"errors"

	"github.com/sendpromptly/sendpromptly/internal/named"
)

// index folds new effects into the search terms (see [IncidentFilter]) and into
// the statistics, and returns how many it is done with. While a transaction of
// before them is still running anywhere in the cluster, the newest 1,000 can be
// found already and are looked at again.
func (e *Engine) index(ctx context.Context) (int, error) {
	taken, err := untilPartial(ctx, e, sweepBatch, e.queries.TermsIndex)
	_, err2 := untilPartial(ctx, e, sweepBatch, e.queries.StatisticsFold)
	return taken, named.Error("indexing", errors.Join(err, err2))
}
