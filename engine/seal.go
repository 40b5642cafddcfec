package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/internal/dbsqlc"
	"github.com/sendpromptly/sendpromptly/internal/named"
	"github.com/sendpromptly/sendpromptly/internal/pg"
)

// seal numbers and hashes the new timeline entries of incidents that changed,
// and returns how many changes it followed. A transaction that is still running
// anywhere in the cluster holds sealing up behind it.
func (e *Engine) seal(ctx context.Context) (int, error) {
	followed, err := e.untilTaken(ctx, sealBatch, func(ctx context.Context, tx pgx.Tx, batch int, apart bool) (int, error) {
		return e.queries.ChangedSeal(ctx, tx, dbsqlc.ChangedSealParams{Batch: batch, Apart: apart})
	})
	return followed, named.Error("sealing timelines", err)
}

// SealEffect seals one effect's timeline now, whatever else is running, and
// returns the head of its chain: the number and hash of the last entry.
func (e *Engine) SealEffect(ctx context.Context, id EffectID) (seq int, hash []byte, err error) {
	if err := validID("id", string(id)); err != nil {
		return 0, nil, err
	}
	params := dbsqlc.EffectSealParams{ProjectID: e.project.Load().ProjectID, EffectID: string(id)}
	head, err := pg.InTx(ctx, e.pool, func(tx pgx.Tx) (dbsqlc.EffectSealRow, error) { return e.queries.EffectSeal(ctx, tx, params) })
	if err == nil && head.Seq == 0 {
		err = fmt.Errorf("%w: effect %s", ErrNotFound, id)
	}
	return head.Seq, head.Hash, named.Error("sealing a timeline", err)
}

// index folds new effects into the search terms (see [IncidentFilter]) and into
// the statistics, and returns how many it is done with. While a transaction of
// before them is still running anywhere in the cluster, the newest 1,000 can be
// found already and are looked at again.
func (e *Engine) index(ctx context.Context) (int, error) {
	taken, err := untilPartial(ctx, e, sweepBatch, e.queries.TermsIndex)
	_, err2 := untilPartial(ctx, e, sweepBatch, e.queries.StatisticsFold)
	return taken, named.Error("indexing", errors.Join(err, err2))
}

// purge deletes what has had its time, and returns how many rows went: payload
// snapshots after 30 days, nonces and kept answers of the ingest API after a day,
// changes and retired callback secrets after a week, alerts after a month, and
// the heartbeats of engines not seen for a day. Of effects and their timelines it
// deletes nothing; that is retain.
func (e *Engine) purge(ctx context.Context) (int, error) {
	gone, err := untilPartial(ctx, e, sweepBatch, e.queries.ExpiredPurge)
	return gone, named.Error("purging", err)
}

const sealBatch = 200
