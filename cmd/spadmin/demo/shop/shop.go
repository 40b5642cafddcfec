// Package shop is a small shop as an integrator of the engine would write it:
// webhook endpoints that accept, a queue with workers that apply, and repair
// endpoints of both kinds. The demo breaks it in front of the reader, by the
// ways in which shops really break; there is no switch in here that pretends.
//
// A shop has services. Each has a project of the engine, a queue and workers of
// its own: billing takes Stripe's events, the storefront Shopify's.
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

	// workers, and how to stop them.
	mu      sync.Mutex
	running sync.WaitGroup
	stop    context.CancelFunc
	until   context.Context
	onTake  func(Task)
}

// New makes a service of the shop, without workers. Its name names its queue.
func New(name string, pool *pgxpool.Pool, effects *engine.Engine, logger *slog.Logger) *Service {
	return &Service{name: name, pool: pool, effects: effects, logger: logger}
}

// Task is one thing to do for a customer.
type Task struct {
	engine.Key
	EventType string
	// Account is whose it is.
	Account string
	// Object is the provider's id of what the event is about.
	Object string
	Cents  int64
	// ReplayID is set where an operator asked for the repair.
	ReplayID string
}

// newTask keeps of an event what the work needs.
func newTask(a engine.Acceptance) Task {
	t := Task{Key: a.Key, EventType: a.EventType, Account: a.Subject, Cents: a.Amount.Minor}
	if len(a.Objects) > 0 {
		t.Object = a.Objects[0]
	}
	return t
}

// receive accepts an event: the receipt and the job commit together or not at
// all. A redelivery finds both there and adds nothing.
func (s *Service) receive(ctx context.Context, a engine.Acceptance) error {
	return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		receipt, err := s.effects.Accept(ctx, tx, a)
		if err != nil || receipt.Duplicate {
			return err
		}
		return s.enqueue(ctx, tx, newTask(a))
	})
}
