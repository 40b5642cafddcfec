package shop

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/engine"
)

// receiveInline is the oldest code of the shop, from before it had a queue. It does
// the work while the provider waits, and has its own dedupe list. Only the two
// calls of the engine are new.
//
// It has the classic bug: it records an event as processed before the work is
// done. If the work fails, the provider gets a 500 and sends the event again. The
// list already contains the event, so the shop answers 200 and does nothing.
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
