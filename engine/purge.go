package engine

import (
	"context"

	"github.com/sendpromptly/sendpromptly/internal/named"
)

// purge deletes expired rows and returns how many: payload snapshots after 30 days, nonces and
// stored answers of the ingest API after a day, changes and retired callback secrets after a week,
// alerts after a month, and heartbeats of engines not seen for a day. It deletes no effects and no
// timelines; retain does that.
func (e *Engine) purge(ctx context.Context) (int, error) {
	gone, err := untilPartial(ctx, e, sweepBatch, e.queries.ExpiredPurge)
	return gone, named.Error("purging", err)
}
