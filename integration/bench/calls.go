package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/integration/bench/flow"
	"github.com/sendpromptly/sendpromptly/integration/bench/pg"
	"github.com/sendpromptly/sendpromptly/integration/bench/report"
	"github.com/sendpromptly/sendpromptly/internal/steps"
)

// callCost is the number of round trips of one engine call.
type callCost struct {
	call  string
	trips int64
}

// warmCalls are made before the one that counts: the first prepares the statement.
const warmCalls = 2

// measureCalls counts the round trips of each call of the engine's API.
func measureCalls(ctx context.Context, b *bench) error {
	pool, e, err := b.engineOn(ctx, "calls", 1)
	if err != nil {
		return err
	}
	defer pool.Close()
	costs, err := countCalls(ctx, pool, e)
	for _, cost := range costs {
		b.report.Add(
			report.Row{Name: callPrefix + cost.call, System: "ours", Value: float64(cost.trips), Unit: "per call", Exact: true},
		)
	}
	return err
}

// calls is the data that the counted calls work on.
type calls struct {
	pool *pg.Pool
	e    *engine.Engine
	n    int64
	// incident is the one that the read calls read.
	incident engine.Incident
	costs    []callCost
}

// countCalls needs a pool of one connection, so that every statement is prepared on the connection that runs it.
func countCalls(ctx context.Context, pool *pg.Pool, e *engine.Engine) ([]callCost, error) {
	c := &calls{pool: pool, e: e}
	for _, count := range []func(context.Context) error{c.signals, c.steps, c.reads} {
		if err := count(ctx); err != nil {
			return c.costs, err
		}
	}
	return c.costs, nil
}

// fresh is a flow before its first call.
func (c *calls) fresh() *flow.Flow {
	c.n++
	return flow.New(c.n)
}

// accepted is a flow whose effect is owed.
func (c *calls) accepted(ctx context.Context) (*flow.Flow, error) {
	f := c.fresh()
	return f, pgx.BeginFunc(ctx, c.pool, func(tx pgx.Tx) error {
		_, err := c.e.Accept(ctx, tx, f.Acceptance())
		return err
	})
}

// count repeats the call until it is warm and counts the last one. prepare runs before each call and is not counted.
func (c *calls) count(ctx context.Context, name string, prepare func() (*flow.Flow, error), call func(f *flow.Flow) error) error {
	for try := 0; ; try++ {
		f, err := prepare()
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		before := c.pool.RoundTrips()
		if err := call(f); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if try == warmCalls {
			c.costs = append(c.costs, callCost{name, c.pool.RoundTrips() - before})
			return nil
		}
	}
}

// countInTx counts a call in the caller's transaction, without the transaction's own round trips.
func (c *calls) countInTx(
	ctx context.Context,
	name string,
	prepare func() (*flow.Flow, error),
	call func(tx pgx.Tx, f *flow.Flow) error,
) error {
	const ofTx = 2 // BEGIN and COMMIT
	err := c.count(ctx, name, prepare, func(f *flow.Flow) error {
		return pgx.BeginFunc(ctx, c.pool, func(tx pgx.Tx) error { return call(tx, f) })
	})
	if err == nil {
		c.costs[len(c.costs)-1].trips -= ofTx
	}
	return err
}

// countQueued counts what a queued call adds to a batch that the app sends anyway.
func (c *calls) countQueued(
	ctx context.Context,
	name string,
	prepare func() (*flow.Flow, error),
	queue func(batch *pgx.Batch, f *flow.Flow) error,
) error {
	const ofBatch = 1
	err := c.countInTx(ctx, name, prepare, func(tx pgx.Tx, f *flow.Flow) error {
		batch := &pgx.Batch{}
		batch.Queue("SELECT 1")
		if err := queue(batch, f); err != nil {
			return err
		}
		return tx.SendBatch(ctx, batch).Close()
	})
	if err == nil {
		c.costs[len(c.costs)-1].trips -= ofBatch
	}
	return err
}

// signals are the calls on the payment's path.
func (c *calls) signals(ctx context.Context) error {
	fresh := func() (*flow.Flow, error) { return c.fresh(), nil }
	owed := func() (*flow.Flow, error) { return c.accepted(ctx) }
	return errors.Join(
		c.countInTx(ctx, "accept", fresh, func(tx pgx.Tx, f *flow.Flow) error {
			_, err := c.e.Accept(ctx, tx, f.Acceptance())
			return err
		}),
		c.countQueued(ctx, "queue_accept", fresh, func(b *pgx.Batch, f *flow.Flow) error { //nolint:contextcheck // the batch runs it
			return c.e.QueueAccept(b, f.Acceptance(), nil)
		}),
		c.countInTx(ctx, "accept_many", fresh, func(tx pgx.Tx, f *flow.Flow) error {
			_, err := c.e.AcceptMany(ctx, tx, []engine.Acceptance{f.Acceptance(), c.fresh().Acceptance()})
			return err
		}),
		c.countInTx(ctx, "succeed", owed, func(tx pgx.Tx, f *flow.Flow) error { return c.e.Succeed(ctx, tx, f.Key) }),
		c.countQueued(ctx, "queue_succeed", owed, func(batch *pgx.Batch, f *flow.Flow) error { return c.e.QueueSucceed(batch, f.Key) }),
		c.count(ctx, "apply", owed, func(f *flow.Flow) error {
			return c.e.Apply(ctx, f.Key, func(context.Context, pgx.Tx) error { return nil })
		}),
		c.count(ctx, "fail", owed, func(f *flow.Flow) error { return c.e.Fail(ctx, f.Key, errors.New("the ledger is down")) }),
	)
}

// steps are the background steps when nothing is waiting, which is what an idle engine costs.
func (c *calls) steps(ctx context.Context) error {
	nothing := func() (*flow.Flow, error) { return nil, nil }
	if _, err := steps.Of(c.e).Seal(ctx); err != nil { // the failure above
		return err
	}
	if _, err := steps.Of(c.e).Index(ctx); err != nil {
		return err
	}
	return errors.Join(
		c.count(ctx, "sweep_empty", nothing, func(*flow.Flow) error { _, err := steps.Of(c.e).Sweep(ctx); return err }),
		c.count(ctx, "deliver_empty", nothing, func(*flow.Flow) error { _, err := steps.Of(c.e).Deliver(ctx); return err }),
		c.count(ctx, "seal_empty", nothing, func(*flow.Flow) error { _, err := steps.Of(c.e).Seal(ctx); return err }),
		c.count(ctx, "index_empty", nothing, func(*flow.Flow) error { _, err := steps.Of(c.e).Index(ctx); return err }),
	)
}

// reads are the reads of a console.
func (c *calls) reads(ctx context.Context) error {
	page, err := c.e.Incidents(ctx, engine.IncidentFilter{})
	if err != nil || len(page.Incidents) == 0 {
		return errors.Join(err, errors.New("no incident to read"))
	}
	c.incident = page.Incidents[0]
	nothing := func() (*flow.Flow, error) { return nil, nil }
	return errors.Join(
		c.count(
			ctx,
			"incidents",
			nothing,
			func(*flow.Flow) error { _, err := c.e.Incidents(ctx, engine.IncidentFilter{Open: true}); return err },
		),
		c.count(ctx, "incident", nothing, func(*flow.Flow) error { _, err := c.e.Incident(ctx, c.incident.ID); return err }),
		c.count(ctx, "timeline", nothing, func(*flow.Flow) error { _, err := c.e.Timeline(ctx, c.incident.EffectID, 0); return err }),
		c.count(ctx, "find", nothing, func(*flow.Flow) error { _, err := c.e.Find(ctx, c.incident.Key); return err }),
	)
}
