package evidence

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/internal/dbsqlc"
)

// VerifyWithin is Verify within a transaction, for tests that roll
// each mutation back.
func (cs *Chains) VerifyWithin(ctx context.Context, tx pgx.Tx) (ChainReport, error) {
	return cs.verify(ctx, func(page func(dbsqlc.DBTX) error) error { return page(tx) })
}
