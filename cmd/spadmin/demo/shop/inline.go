package shop

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/engine"
)

// receiveInline is the oldest code of the shop, from before it had a queue: it
// works while the provider waits, and keeps a dedupe list of its own. Only the
// two calls of the engine are new.
//
// It has the classic bug: an event counts as processed before its work is done.
// Where the work fails, the provider gets a 500 and sends the event again; the
// list knows it already, and the answer is 200.
func (s *Service) receiveInline(ctx context.Context, a engine.Acceptance) error {
	seen := false
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, "INSERT INTO shop.processed_events (event_id) VALUES ($1) ON CONFLICT DO NOTHING", a.EventID)
		if err != nil {
			return err
		}
		seen = tag.RowsAffected() == 0
		_, err = s.effects.Accept(ctx, tx, a)
		return err
	})
	if err != nil || seen {
		return err
	}
	return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		// Shopify hangs up after 5 seconds.
		if _, err := tx.Exec(ctx, "SET LOCAL lock_timeout = '300ms'"); err != nil {
			return err
		}
		if err := apply(ctx, tx, newTask(a)); err != nil {
			return err
		}
		return s.effects.Succeed(ctx, tx, a.Key)
	})
}
