package shop

import (
	"context"
	"net/http"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/engine"
)

// RepairNow is the repair endpoint that applies the effect while the callback
// waits. It needs no worker.
func (s *Service) RepairNow() http.Handler {
	return s.effects.RepairHandler(func(ctx context.Context, tx pgx.Tx, r engine.Repair) error {
		return apply(ctx, tx, newTask(r.Acceptance))
	})
}

// RepairQueued is the repair endpoint that queues the effect again: a worker
// applies and reports it.
func (s *Service) RepairQueued() http.Handler {
	return s.effects.EnqueueHandler(func(ctx context.Context, tx pgx.Tx, r engine.Repair) error {
		t := newTask(r.Acceptance)
		t.ReplayID = r.ReplayID
		return s.enqueue(ctx, tx, t)
	})
}
