package engine

import (
	"context"
	"log/slog"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/internal/caught"
	"github.com/sendpromptly/sendpromptly/internal/dbsqlc"
	"github.com/sendpromptly/sendpromptly/internal/id"
	"github.com/sendpromptly/sendpromptly/internal/input"
	"github.com/sendpromptly/sendpromptly/internal/pg"
)

// Run does the engine's background work until ctx ends, and then returns nil after the running
// steps have ended. It sweeps (opens incidents for deadlines that passed), delivers callbacks,
// seals timelines, updates the search terms and the statistics, deletes expired rows, and removes
// settled effects of projects with a retention. Errors are logged, and each step retries at its
// next interval. Run it in any number of processes: they take turns at looking for work, all
// together about twice per [Config.SweepInterval]. If there is no work, a check is one query. Tests
// call the steps one by one with package enginetest.
//
// If a receipt commits only after its deadline, or a worker had locked its row at the deadline, the
// incident opens later, once, by the effect's timeout or 60 seconds, whichever is shorter.
func (e *Engine) Run(ctx context.Context) error {
	r := &runner{Engine: e, id: id.New(), callbacks: newBell(), unsealed: newBell(), unfolded: newBell()}
	r.fleet.Store(&fleet{size: 1})
	var loops sync.WaitGroup
	for _, l := range r.loops() {
		loops.Go(func() {
			for l.next(ctx) {
				err := caught.Call(func() error { return l.step(ctx) })
				if caught.Is(err) || err != nil && ctx.Err() == nil {
					caught.Log(ctx, e.cfg.Logger, slog.LevelError, saysStepFailed, err, "step", l.name)
				}
			}
		})
	}
	loops.Wait()
	e.client.CloseIdleConnections()
	leaving, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	// An error is ignored: a heartbeat that stays is purged after a day.
	_ = caught.Call(func() error {
		return pgx.BeginTxFunc(
			leaving,
			e.pool,
			pg.ReadCommitted,
			func(tx pgx.Tx) error { return e.queries.EngineLeave(leaving, tx, r.id) },
		)
	})
	return nil
}

// runner is one call of Run.
type runner struct {
	*Engine
	id    string
	fleet atomic.Pointer[fleet]
	// These wake the steps that have something to do.
	callbacks, unsealed, unfolded bell
	// ahead is how far the database's clock is ahead of this machine's.
	ahead atomic.Int64
}

// loop is a step and what it waits for.
type loop struct {
	name string
	// next returns false when ctx has ended.
	next func(ctx context.Context) bool
	step func(ctx context.Context) error
}

func (r *runner) loops() []loop {
	interval := r.cfg.SweepInterval
	return []loop{
		{"sweep", timed(interval, func() time.Duration { return r.fleet.Load().until(r.now(), interval) }), r.look},
		{"deliver", r.callbacks.wait, func(ctx context.Context) error { _, err := r.deliver(ctx, interval); return err }},
		{"seal", r.unsealed.wait, func(ctx context.Context) error { _, err := r.seal(ctx); return err }},
		{"index", r.unfolded.wait, func(ctx context.Context) error { _, err := r.index(ctx); return err }},
		{"purge", r.shared(time.Minute), func(ctx context.Context) error { _, err := r.purge(ctx); return err }},
		{"retain", r.shared(time.Minute), func(ctx context.Context) error { _, err := r.retain(ctx); return err }},
		{"beat", timed(0, func() time.Duration { return 10 * time.Second }), r.beat},
		{"settings", timed(30*time.Second, func() time.Duration { return 30 * time.Second }), r.loadProject},
	}
}

// look reads in one query what is waiting, wakes the loops that have something to do, and sweeps.
func (r *runner) look(ctx context.Context) error {
	r.sweeping.Lock()
	defer r.sweeping.Unlock()
	since := r.frontier.since(time.Now()) //nolint:forbidigo // how long ago the last whole look was
	work, err := r.queries.WorkLook(ctx, r.pool, since)
	if err != nil {
		return err
	}
	r.ahead.Store(int64(time.Until(work.Started)))
	r.callbacks.ring(work.Callbacks)
	r.unsealed.ring(work.Unsealed)
	r.unfolded.ring(work.Unfolded)
	_, err = r.sweep(ctx, since, dbsqlc.WorkWaitingRow{
		Started: work.Started, Failures: work.Failures, Attempts: work.Attempts,
		Deadlines: work.Deadlines, Callbacks: work.Callbacks, Entries: work.Entries,
	})
	return err
}

// now is the database's time, estimated from the last look.
func (r *runner) now() time.Time {
	return time.Now().Add(time.Duration(r.ahead.Load())) //nolint:forbidigo // carried on from what the database said
}

// shared is the wait for work that any engine of the fleet may do.
func (r *runner) shared(every time.Duration) func(context.Context) bool {
	return timed(every, func() time.Duration { return r.fleet.Load().share(every) })
}

// beat updates this engine's heartbeat, which doctor and the console read, and counts the other
// engines.
func (r *runner) beat(ctx context.Context) error {
	host, _ := os.Hostname()
	r.sweeping.Lock()
	params := dbsqlc.EngineBeatParams{
		EngineID: r.id, Version: version(), Host: input.Cut(host, 255), OverdueLocked: r.locked,
		SweepSeconds: r.took.Seconds(),
	}
	if !r.lastPass.IsZero() {
		last := r.lastPass
		params.LastSweepAt = &last
	}
	r.sweeping.Unlock()
	// An explicit read-committed transaction, as everywhere in the engine, but sent as one batch:
	// one round trip.
	var others, earlier int
	batch := &pgx.Batch{}
	batch.Queue("begin isolation level read committed")
	r.queries.QueueEngineBeat(batch, params, func(row dbsqlc.EngineBeatRow, err error) error {
		others, earlier = row.Others, row.Earlier
		return err
	})
	batch.Queue("commit")
	err := r.pool.SendBatch(ctx, batch).Close()
	if err == nil {
		r.fleet.Store(&fleet{size: 1 + others, rank: earlier})
	}
	return err
}

// version is the module's version as the Go linker knows it.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, dep := range append(info.Deps, &info.Main) {
		if dep.Path == "github.com/sendpromptly/sendpromptly" {
			return dep.Version
		}
	}
	return "unknown"
}
