// Package flow is the payment that every system of the comparison runs: an app's transaction that writes an order and a
// job, then one that writes the credits, and the statements that each system adds to the two.
package flow

import (
	"context"
	"fmt"
	"time"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/integration/bench/pg"
)

// Timeout is how long an outcome may take in every system: long enough that no deadline passes within a run.
const Timeout = 48 * time.Hour

// Flow is one payment. Its ids depend only on its number, so that every run writes the same bytes.
type Flow struct {
	N   int64
	Key engine.Key
	// KeyOnly leaves every optional column of the receipt empty.
	KeyOnly bool
	// handle is what a system needs to find its own record of the flow.
	handle any
}

// New returns the nth flow.
func New(n int64) *Flow {
	return &Flow{N: n, Key: engine.Key{Provider: "stripe", EventID: "evt_1" + word(n, 0, 23), Effect: "credit_grant"}}
}

// firstEvent is the provider's time of the flow with the number 0.
var firstEvent = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// Acceptance fills every column that a receipt has, with texts as long as Stripe's.
func (f *Flow) Acceptance() engine.Acceptance {
	if f.KeyOnly {
		return engine.Acceptance{Key: f.Key, Timeout: Timeout}
	}
	return engine.Acceptance{
		Key: f.Key, EventType: "invoice.paid", Subject: fmt.Sprintf("user_%08d", f.N), Merchant: "main.example.com",
		OccurredAt: firstEvent.Add(time.Duration(f.N) * time.Millisecond), Timeout: Timeout,
		Amount:   engine.Money{Minor: 4900, Currency: "USD"},
		Customer: "cus_" + word(f.N, 1, 14), Version: "2026.11.23-1",
		Objects: []string{"in_1" + word(f.N, 2, 23), "pi_3" + word(f.N, 3, 23)},
	}
}

const letters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// word is a text that looks random and depends only on n and kind (the step function of SplitMix64).
func word(n int64, kind, length int) string {
	state := uint64(n)*4 + uint64(kind)
	text := make([]byte, length)
	for i := range text {
		state += 0x9e3779b97f4a7c15
		z := state
		z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		text[i] = letters[(z^z>>31)%uint64(len(letters))]
	}
	return string(text)
}

// System runs flows in one way, in a database of its own.
type System struct {
	// Name is the system's name in the report.
	Name string
	// Baseline is the system that does the same without any engine, "" for a baseline.
	Baseline string
	// Schema contains the tables that the system adds to the app's own.
	Schema string
	Pool   *pg.Pool
	// First and Second are the flow's two transactions.
	First, Second func(ctx context.Context, f *Flow) error
	// Settle waits for the system's background work on the flows; nil if there is none.
	Settle func(ctx context.Context) error
	// Stop stops the system's background work; nil if there is none.
	Stop func()
}

// Finish waits for the work under way.
func (s *System) Finish(ctx context.Context) error {
	if s.Settle == nil {
		return nil
	}
	return s.Settle(ctx)
}

// Close stops the system and closes its pool.
func (s *System) Close() {
	if s.Stop != nil {
		s.Stop()
	}
	s.Pool.Close()
}

// The names of our own systems, and of the baselines.
const (
	Bare        = "bare"
	BareBatched = "bare_batched"
	OursPlain   = "ours_plain"
	OursBatched = "ours_batched"
	OursApply   = "ours_apply"
	RiverCancel = "river_cancel"
	RiverDelete = "river_delete"
	DBOS        = "dbos"
)

// Names are the systems of the comparison, each baseline before the systems that are compared with it.
var Names = []string{Bare, BareBatched, OursPlain, OursBatched, OursApply, RiverCancel, RiverDelete, DBOS}

// Ours says whether a system is this project's.
func Ours(name string) bool { return name == OursPlain || name == OursBatched || name == OursApply }

// Build makes a system in an empty database.
func Build(ctx context.Context, name string, pool *pg.Pool) (*System, error) {
	build := map[string]func(context.Context, *pg.Pool) (*System, error){
		Bare: buildBare, BareBatched: buildBareBatched, OursPlain: buildPlain, OursBatched: buildBatched, OursApply: buildApply,
		RiverCancel: buildRiverCancel, RiverDelete: buildRiverDelete, DBOS: buildDBOS,
	}[name]
	if build == nil {
		return nil, fmt.Errorf("there is no system %q", name)
	}
	if err := createShop(ctx, pool); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	system, err := build(ctx, pool)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	system.Name, system.Pool = name, pool
	return system, nil
}
