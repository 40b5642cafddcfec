package main

import (
	"context"
	"fmt"

	"github.com/sendpromptly/sendpromptly/integration/bench/flow"
	"github.com/sendpromptly/sendpromptly/integration/bench/report"
)

// flowCost is what one flow costs, to the byte.
type flowCost struct {
	roundTrips, wal, kept float64
}

// quiet are the settings under which the log is counted. Without full-page images and autovacuum the only bytes are
// those of the flow itself: an image is written once per page after each checkpoint, and would count the warm-up, not
// the flow. A commit that does not wait for the disk writes the same log.
var quiet = map[string]string{"full_page_writes": "off", "autovacuum": "off", "synchronous_commit": "off"}

// measureCosts takes each system's costs over many flows of a single client, on a server that does nothing else.
func measureCosts(ctx context.Context, b *bench) error {
	runners, err := b.systems(ctx)
	if err != nil {
		return err
	}
	costs := map[string]flowCost{}
	err = b.server.With(ctx, quiet, func() error {
		for i, r := range runners {
			cost, err := b.costOf(ctx, r, b.costFlows(r))
			if err != nil {
				return err
			}
			costs[r.Name] = cost
			b.progress.Done(float64(i+1) / float64(len(runners)))
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, r := range runners {
		addCosts(b.report, r.System, costs)
	}
	return b.server.Checkpoint(ctx)
}

// costFlows is the number of flows over which a system's costs are measured. DBOS is several times slower, and its
// figures are not byte-exact.
func (b *bench) costFlows(r *runner) int {
	if r.Name == flow.DBOS {
		return b.opts.sizes.costFlows / 10
	}
	return b.opts.sizes.costFlows
}

// costOf measures over as many flows as the warm-up had. An index over random keys fills and splits its pages in a
// rhythm that repeats whenever the index has doubled. Over a whole doubling the result is the same from every starting
// point. There is one client, because several extend a table by more than they need.
func (b *bench) costOf(ctx context.Context, r *runner, flows int) (flowCost, error) {
	var cost flowCost
	if err := r.turnsFilled(ctx, flows, func() error { return nil }); err != nil {
		return cost, err
	}
	kept, err := b.keptBytes(ctx, r)
	if err != nil {
		return cost, err
	}
	begun, trips, wal := r.next.Load(), int64(0), int64(0)
	err = r.turnsFilled(ctx, flows, func() (err error) { // from the filled queue to the end of the turns
		trips = r.Pool.RoundTrips() - trips
		before := wal
		wal, err = b.server.WAL(ctx)
		wal -= before
		return err
	})
	if err != nil {
		return cost, err
	}
	keptAfter, err := b.keptBytes(ctx, r)
	n := float64(flows)
	return flowCost{
		roundTrips: float64(trips) / n,
		wal:        float64(wal) / n,
		kept:       float64(keptAfter-kept) / float64(r.next.Load()-begun),
	}, err
}

// keptBytes counts the bytes of the system's own tables after a vacuum. No flow waits, so that a table that flows only
// pass through shrinks again. The second vacuum frees the index pages that the first one emptied.
func (b *bench) keptBytes(ctx context.Context, r *runner) (int64, error) {
	for range 2 {
		if err := r.Pool.Vacuum(ctx); err != nil {
			return 0, err
		}
	}
	if r.Schema == "" {
		return 0, nil
	}
	return r.Pool.SchemaBytes(ctx, r.Schema)
}

// addCosts writes a system's rows: for a baseline its own costs, for the others the costs in addition to the baseline.
func addCosts(to *report.Report, s *flow.System, costs map[string]flowCost) {
	cost := costs[s.Name]
	exact := s.Name != flow.DBOS // it also polls, so that its figures grow with time
	to.Add(report.Row{Name: "round_trips", System: s.Name, Value: cost.roundTrips, Unit: "per flow", Exact: exact})
	to.Add(report.Row{Name: "wal", System: s.Name, Value: cost.wal, Unit: "bytes per flow", Exact: exact})
	if s.Baseline == "" {
		return
	}
	base, there := costs[s.Baseline]
	if !there {
		return
	}
	over := fmt.Sprintf("per flow over %s", s.Baseline)
	trips := report.Row{
		Name:   "round_trips_added",
		System: s.Name,
		Value:  cost.roundTrips - base.roundTrips,
		Unit:   over,
		Exact:  exact,
	}
	wal := report.Row{Name: "wal_added", System: s.Name, Value: cost.wal - base.wal, Unit: "bytes " + over, Exact: exact}
	kept := report.Row{Name: "bytes_kept", System: s.Name, Value: cost.kept, Unit: "bytes per flow after vacuum", Exact: exact}
	if flow.Ours(s.Name) {
		trips.Target, wal.Target, kept.Target = report.AtMost(2), report.AtMost(800), report.AtMost(380)
	}
	if s.Name == flow.OursBatched {
		trips.Target = report.AtMost(0)
	}
	to.Add(trips)
	to.Add(wal)
	to.Add(kept)
}
