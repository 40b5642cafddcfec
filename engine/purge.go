package engine

import (
	"context"

	"github.com/sendpromptly/sendpromptly/internal/named"
)

// purge deletes what has had its time, and returns how many rows went: payload
// snapshots after 30 days, nonces and kept answers of the ingest API after a day,
// changes and retired callback secrets after a week, alerts after a month, and
// the heartbeats of engines not seen for a day. Of effects and their timelines it
// deletes nothing; that is retain.
func (e *Engine) purge(ctx context.Context) (int, error) {
	gone, err := untilPartial(ctx, e, sweepBatch, e.queries.ExpiredPurge)
	return gone, named.Error("purging", err)
}
