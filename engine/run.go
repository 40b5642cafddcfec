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

// Run does the engine's background work until ctx ends: it sweeps, delivers
// callbacks, seals timelines, keeps the search terms and the statistics, deletes
// what has had its time, and removes settled effects where a project's retention
// says so. Tests call the steps one by one with package enginetest. Run it in any
// number of processes: they take turns in looking for work, all together about
// twice per interval, and an engine that finds none has asked one question in one
// round trip. It returns nil after the steps under way have ended; what Postgres
// or the network do meanwhile is logged, and each step goes on at the next interval.
//
// A receipt that committed after its deadline, or whose row a worker had locked
// then, is held for min(timeout, 60 s) once before its incident opens.
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
	// A stale heartbeat is purged in a day.
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
	// The looks ring for the steps that have something to do.
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

// look asks once what waits, wakes the loops that have something to do, and sweeps.
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

// now is the database's time, as of the last look.
func (r *runner) now() time.Time {
	return time.Now().Add(time.Duration(r.ahead.Load())) //nolint:forbidigo // carried on from what the database said
}

// shared is for what the fleet does once in a while, whoever does it.
func (r *runner) shared(every time.Duration) func(context.Context) bool {
	return timed(every, func() time.Duration { return r.fleet.Load().share(every) })
}

// beat keeps the heartbeat that doctor and the console read, and counts the others'.
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
	// A transaction like the engine's others, but sent at once: one round trip, however many engines beat.
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
