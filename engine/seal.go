package engine

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/internal/dbsqlc"
	"github.com/sendpromptly/sendpromptly/internal/named"
	"github.com/sendpromptly/sendpromptly/internal/pg"
)

const sealBatch = 200

// seal numbers and hashes the new timeline entries of changed incidents, and returns how many
// changes it processed. Changes that are newer than a transaction still running anywhere in the
// cluster wait for that transaction.
func (e *Engine) seal(ctx context.Context) (int, error) {
	followed, err := e.untilTaken(ctx, sealBatch, func(ctx context.Context, tx pgx.Tx, batch int, apart bool) (int, error) {
		return e.queries.ChangedSeal(ctx, tx, dbsqlc.ChangedSealParams{Batch: batch, Apart: apart})
	})
	return followed, named.Error("sealing timelines", err)
}

// SealEffect seals one effect's timeline now, without waiting for other transactions. It returns
// the head of the chain: the number and hash of the last entry. An effect that does not exist
// returns [ErrNotFound].
func (e *Engine) SealEffect(ctx context.Context, id EffectID) (seq int, hash []byte, err error) {
	if err := validID("id", string(id)); err != nil {
		return 0, nil, err
	}
	params := dbsqlc.EffectSealParams{ProjectID: e.project.Load().ProjectID, EffectID: string(id)}
	head, err := pg.InTx(ctx, e.pool, func(tx pgx.Tx) (dbsqlc.EffectSealRow,
		error,
	) {
		return e.queries.EffectSeal(ctx, tx, params)
	})
	if err == nil && head.Seq == 0 {
		err = fmt.Errorf("%w: effect %s", ErrNotFound, id)
	}
	return head.Seq, head.Hash, named.Error("sealing a timeline", err)
}
