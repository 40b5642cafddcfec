package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sendpromptly/sendpromptly/integration/bench/flow"
	"github.com/sendpromptly/sendpromptly/integration/bench/report"
	"github.com/sendpromptly/sendpromptly/internal/store/archive"
	"github.com/sendpromptly/sendpromptly/internal/store/rooms"
)

const (
	// retainClients run flows while old effects are removed.
	retainClients = 8
	// retainAfter is the shortest allowed retention.
	retainAfter = 35 * 24 * time.Hour
)

// retaining is one database with many effects that may leave, and an app that keeps working.
type retaining struct {
	*bench
	flows   *runner
	store   *rooms.Rooms
	removed int
	worked  time.Duration
	longest float64
}

// measureRetention runs flows with and without retention, in turns. It reports how much retention slows them down, how
// long its longest transaction holds its locks, and how many effects leave.
func measureRetention(ctx context.Context, b *bench) error {
	pool, err := b.server.NewDatabase(ctx, maxClients)
	if err != nil {
		return err
	}
	system, err := flow.Build(ctx, flow.OursPlain, pool)
	if err != nil {
		pool.Close()
		return err
	}
	r := &retaining{bench: b, flows: newRunner(system, false)}
	defer system.Close()
	b.owned = append(b.owned, owned{name: "retain", url: pool.Config().ConnString(), flows: -1})
	if r.store, err = rooms.Open(pool.Pool, ""); err != nil {
		return err
	}
	f := &filler{pool: pool}
	old := span{first: time.Now().Add(-60 * 24 * time.Hour), step: time.Millisecond, timeout: ordinary}
	for _, of := range []struct {
		n    int64
		what string
	}{
		{b.opts.sizes.retain * 9 / 10, settled},
		{b.opts.sizes.retain / 10, opened},
	} { // a tenth had an incident; a tenth of those are still open
		if err := f.write(ctx, of.n, of.what, old, nil); err != nil {
			return err
		}
	}
	if err := pool.Vacuum(ctx); err != nil {
		return err
	}
	if err := r.flows.fill(ctx, retainClients); err != nil {
		return err
	}
	if err := r.turns(ctx); err != nil {
		return err
	}
	return r.flows.drain(ctx)
}

// turns takes slices with and without retention.
func (r *retaining) turns(ctx context.Context) error {
	ways := []func(context.Context) (float64, error){r.without, r.with}
	figures := []map[int]float64{{}, {}}
	for round := range r.opts.sizes.retainSlices + 1 { // the first warms up
		for _, way := range report.Order(len(ways), round) {
			perSecond, err := ways[way](ctx)
			if err != nil {
				return err
			}
			if round > 0 {
				figures[way][round] = perSecond
			}
		}
		r.progress.Done(float64(round) / float64(r.opts.sizes.retainSlices))
	}
	unit := fmt.Sprintf("x without, %d clients", retainClients)
	r.report.AddSeries(
		report.Row{Name: "retain_throughput_ratio", System: "ours", Unit: unit, Target: report.AtLeast(0.95)},
		report.Pair(figures[1], figures[0], report.Of),
	)
	r.report.AddSeries(
		report.Row{Name: "noise_retain", System: "ours", Unit: "x without, one round earlier"},
		report.Neighbours(figures[0]),
	)
	r.report.Add(
		report.Row{
			Name:   "retain_longest",
			System: "ours",
			Value:  r.longest,
			Unit:   "ms, the longest transaction",
			Target: report.AtMost(100),
		},
	)
	r.report.Add(
		report.Row{
			Name:   "retain_removed",
			System: "ours",
			Value:  float64(r.removed) / r.worked.Seconds(),
			Unit:   "effects/s beside the flows, with pauses",
		},
	)
	return nil
}

func (r *retaining) without(ctx context.Context) (float64, error) {
	got, err := r.flows.slice(ctx, retainClients, r.opts.slice)
	return got.perSecond(), err
}

// with runs retention for as long as the slice takes.
func (r *retaining) with(ctx context.Context) (float64, error) {
	running, stop := context.WithCancel(ctx)
	defer stop()
	type ending struct {
		report archive.RetainReport
		err    error
	}
	ended := make(chan ending, 1)
	began := time.Now()
	go func() {
		done, err := r.store.Archive.Retain(running, archive.RetainOptions{Project: "default", OlderThan: retainAfter})
		ended <- ending{done, err}
	}()
	perSecond, err := r.without(ctx)
	stop()
	last := <-ended
	r.removed += last.report.Removed
	r.worked += time.Since(began)
	r.longest = max(r.longest, last.report.LongestMilliseconds)
	if last.err == nil {
		return 0, errors.New("retention removed every effect before the slice ended: the history is too short")
	}
	if err == nil && !errors.Is(last.err, context.Canceled) {
		err = last.err
	}
	return perSecond, err
}
