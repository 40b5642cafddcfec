// Package shop is a small shop as an integrator of the engine would write it:
// webhook endpoints that accept, a queue with workers that apply, and repair
// endpoints of both kinds. The demo breaks it with real faults; the shop has no
// code that simulates them.
//
// A shop has services. Each has its own project, queue and workers: billing
// receives Stripe's events, the storefront receives Shopify's.
package shop

import (
	"context"
	_ "embed" // the schema
	"log/slog"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sendpromptly/sendpromptly/engine"
)

//go:embed schema.sql
var schema string

// Install creates the shop's tables, in the schema "shop".
func Install(ctx context.Context, pool *pgxpool.Pool) error {
	_, err := pool.Exec(ctx, schema)
	return err
}

// Service is one part of the shop.
type Service struct {
	name    string
	pool    *pgxpool.Pool
	effects *engine.Engine
	logger  *slog.Logger

	// The state of the workers.
	mu      sync.Mutex
	running sync.WaitGroup
	stop    context.CancelFunc
	until   context.Context
	onTake  func(Task)
}

// New makes a service without workers. Its name is also the name of its queue.
func New(name string, pool *pgxpool.Pool, effects *engine.Engine, logger *slog.Logger) *Service {
	return &Service{name: name, pool: pool, effects: effects, logger: logger}
}

// Task is the work for one event.
type Task struct {
	engine.Key
	EventType string
	// Account is the id of the account to change.
	Account string
	// Object is the provider's id of the object, such as an order.
	Object string
	Cents  int64
	// ReplayID is set if an operator requested the repair.
	ReplayID string
}

// newTask takes the values that the work needs.
func newTask(a engine.Acceptance) Task {
	t := Task{Key: a.Key, EventType: a.EventType, Account: a.Subject, Cents: a.Amount.Minor}
	if len(a.Objects) > 0 {
		t.Object = a.Objects[0]
	}
	return t
}

// receive accepts an event: the receipt and the job commit together, or not at
// all. A redelivery adds nothing.
func (s *Service) receive(ctx context.Context, a engine.Acceptance) error {
	return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		receipt, err := s.effects.Accept(ctx, tx, a)
		if err != nil || receipt.Duplicate {
			return err
		}
		return s.enqueue(ctx, tx, newTask(a))
	})
}
