package engine

import (
	"context"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/engine/internal/dbsqlc"
	"github.com/sendpromptly/sendpromptly/engine/internal/id"
)

// Run does the engine's background work until ctx ends: it sweeps, delivers
// callbacks, seals timelines, keeps the search terms and deletes what has had
// its time. Run it in any number of processes. It returns nil after the steps
// under way have ended; what Postgres or the network do meanwhile is logged,
// and each step goes on at the next interval.
func (e *Engine) Run(ctx context.Context) error {
	engineID := id.New()
	var loops sync.WaitGroup
	for _, loop := range []struct {
		name  string
		every time.Duration
		step  func(context.Context) error
	}{
		{"sweep", e.cfg.SweepInterval, func(ctx context.Context) error { _, err := e.Sweep(ctx); return err }},
		{"deliver", e.cfg.SweepInterval, func(ctx context.Context) error { _, err := e.deliver(ctx, e.cfg.SweepInterval); return err }},
		{"seal", e.cfg.SweepInterval, func(ctx context.Context) error { _, err := e.Seal(ctx); return err }},
		{"index", e.cfg.SweepInterval, func(ctx context.Context) error { _, err := e.Index(ctx); return err }},
		{"retain", time.Minute, func(ctx context.Context) error { _, err := e.Retain(ctx); return err }},
		{"purge", time.Minute, func(ctx context.Context) error { _, err := e.Purge(ctx); return err }},
		{"beat", 10 * time.Second, func(ctx context.Context) error { return e.beat(ctx, engineID) }},
		{"settings", 30 * time.Second, e.loadProject},
	} {
		loops.Go(func() {
			every(ctx, loop.every, func() {
				if err := loop.step(ctx); err != nil && ctx.Err() == nil {
					e.cfg.Logger.ErrorContext(ctx, "sendpromptly: step ended early", "step", loop.name, "error", err)
				}
			})
		})
	}
	loops.Wait()
	leaving, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	// A stale heartbeat is purged in a day.
	_ = pgx.BeginTxFunc(leaving, e.pool, readCommitted, func(tx pgx.Tx) error { return e.queries.EngineLeave(leaving, tx, engineID) })
	return nil
}

// every calls step at once and then again an interval after it ended, until ctx ends.
func every(ctx context.Context, interval time.Duration, step func()) {
	for ctx.Err() == nil {
		step()
		if !wait(ctx, interval) {
			return
		}
	}
}

// wait returns false if ctx ended first.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// beat keeps the heartbeat that doctor and the console read.
func (e *Engine) beat(ctx context.Context, engineID string) error {
	host, _ := os.Hostname()
	e.sweeping.Lock()
	params := dbsqlc.EngineBeatParams{EngineID: engineID, Version: version(), Host: cut(host, 255), OverdueLocked: e.locked}
	if !e.lastPass.IsZero() {
		last := e.lastPass
		params.LastSweepAt = &last
	}
	e.sweeping.Unlock()
	return pgx.BeginTxFunc(ctx, e.pool, readCommitted, func(tx pgx.Tx) error { return e.queries.EngineBeat(ctx, tx, params) })
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
