package main

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/integration/bench/pg"
	"github.com/sendpromptly/sendpromptly/integration/bench/report"
	"github.com/sendpromptly/sendpromptly/internal/steps"
)

// sweeps measures sweeping on one database whose history grows.
type sweeps struct {
	*bench
	pool *pg.Pool
	fill *filler
	// wrong counts incidents that were opened twice or not at all.
	wrong int64
	// empty is the empty sweep's time by stage.
	empty map[string]float64
}

// sweepers are the numbers of engines that open the same incidents at the same time.
var sweepers = []int{1, 2, 4, 8}

// measureSweeps sweeps at each size of history.
func measureSweeps(ctx context.Context, b *bench) error {
	pool, _, err := b.engineOn(ctx, "sweep", 12)
	if err != nil {
		return err
	}
	defer pool.Close()
	s := &sweeps{bench: b, pool: pool, fill: &filler{pool: pool}, empty: map[string]float64{}}
	last := int64(0)
	total := float64(b.opts.sizes.history[len(stages)-1])
	for i, stage := range stages {
		want := b.opts.sizes.history[i]
		done := func(share float64) { b.progress.Done((float64(last) + share*float64(want-last)) / total * 0.9) }
		if err := s.fill.write(ctx, want-last, settled, s.fill.longAgo(), done); err != nil {
			return err
		}
		last = want
		if err := s.atStage(ctx, stage); err != nil {
			return fmt.Errorf("%s history: %w", stage, err)
		}
	}
	b.report.Add(report.Row{
		Name: "sweep_empty_growth", System: "ours", Value: s.empty[stages[2]] / s.empty[stages[0]],
		Unit: "x the small history", Target: report.AtMost(1.5),
	}) // "flat", with the tolerance that a median on a noisy machine needs
	b.report.Add(
		report.Row{
			Name:   "sweep_opened_wrongly",
			System: "ours",
			Value:  float64(s.wrong),
			Unit:   "incidents",
			Target: report.AtMost(0),
			Exact:  true,
		},
	)
	return nil
}

// atStage measures one size: first the measurements that need a quiet table, then those that leave dead rows behind.
func (s *sweeps) atStage(ctx context.Context, stage string) error {
	if err := s.pool.Vacuum(ctx); err != nil {
		return err
	}
	if err := s.server.Checkpoint(ctx); err != nil {
		return err
	}
	times, err := s.timeEmpty(ctx)
	if err != nil {
		return err
	}
	s.empty[stage] = report.Summarise(times).Median
	s.report.AddSeries(report.Row{Name: "sweep_empty_" + stage, System: "ours", Unit: "ms", Target: report.AtMost(0.25)}, times)
	if times, err = s.timeHeld(ctx); err != nil {
		return err
	}
	s.report.AddSeries(report.Row{Name: "sweep_empty_held_" + stage, System: "ours", Unit: "ms", Target: report.AtMost(1)}, times)
	thousand, err := s.open(ctx, 1_000, 1)
	if err != nil {
		return err
	}
	s.report.Add(report.Row{Name: "sweep_1k_" + stage, System: "ours", Value: thousand.Seconds() * 1000, Unit: "ms"})
	for _, n := range sweepers {
		if n > 2 && stage != stages[0] {
			break // more than two add nothing on two CPUs; once is enough to see that they harm nothing
		}
		if err := s.openings(ctx, stage, n); err != nil {
			return err
		}
	}
	return nil
}

// openings opens the large number of incidents several times with the given number of sweepers.
func (s *sweeps) openings(ctx context.Context, stage string, sweepers int) error {
	var perSecond []float64
	for range s.opts.sizes.openings {
		took, err := s.open(ctx, s.opts.sizes.overdue, sweepers)
		if err != nil {
			return err
		}
		perSecond = append(perSecond, float64(s.opts.sizes.overdue)/took.Seconds())
	}
	row := report.Row{Name: fmt.Sprintf("sweep_open_%d_%s", sweepers, stage), System: "ours", Unit: "incidents/s"}
	switch sweepers {
	case 1:
		row.Target = report.AtLeast(60_000)
	case 2:
		row.Target = report.AtLeast(90_000)
	}
	s.report.AddSeries(row, perSecond)
	return nil
}

// newEngine is an engine that has not swept yet: another one would hold effects that are already overdue when they
// appear (design, rule 7).
func (s *sweeps) newEngine(ctx context.Context) (*engine.Engine, error) {
	return engine.New(ctx, s.pool.Pool, engine.Config{Logger: slog.New(slog.DiscardHandler)})
}

// timeEmpty measures sweeps that find nothing, in milliseconds, as the app sees them.
func (s *sweeps) timeEmpty(ctx context.Context) ([]float64, error) {
	e, err := s.newEngine(ctx)
	if err != nil {
		return nil, err
	}
	var times []float64
	for i := range s.opts.sizes.emptySweeps + 20 {
		began := time.Now()
		opened, err := steps.Of(e).Sweep(ctx)
		if err != nil || opened != 0 {
			return nil, fmt.Errorf("an empty sweep opened %d: %w", opened, err)
		}
		if i >= 20 {
			times = append(times, time.Since(began).Seconds()*1000)
		}
	}
	return times, nil
}

// timeHeld is timeEmpty while an old transaction keeps dead entries from being removed: receipts whose deadlines have
// passed and whose outcomes came in time.
func (s *sweeps) timeHeld(ctx context.Context) (times []float64, err error) {
	old, err := s.pool.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead})
	if err != nil {
		return nil, err
	}
	defer func() { _ = old.Rollback(ctx) }()
	if _, err := old.Exec(ctx, countIncidents+" WHERE false"); err != nil { // takes the snapshot
		return nil, err
	}
	_, err = s.pool.Exec(ctx, `INSERT INTO sendpromptly.owed (deadline, effect_id, project_id)
		SELECT sendpromptly.clock() - n * interval '5 ms', gen_random_uuid(), 1
			FROM generate_series(1, $1::int) AS n`, s.opts.sizes.dead)
	if err == nil {
		_, err = s.pool.Exec(ctx, "DELETE FROM sendpromptly.owed")
	}
	if err == nil {
		times, err = s.timeEmpty(ctx)
	}
	if err != nil {
		return nil, err
	}
	if err := old.Rollback(ctx); err != nil {
		return nil, err
	}
	_, err = s.pool.Exec(ctx, "VACUUM sendpromptly.owed")
	return times, err
}

// open makes n effects overdue and measures how long the given number of engines takes to open their incidents.
func (s *sweeps) open(ctx context.Context, n int64, engines int) (time.Duration, error) {
	if err := s.fill.write(ctx, n, awaiting, overdue(), nil); err != nil {
		return 0, err
	}
	before, err := count(ctx, s.pool, countIncidents)
	if err != nil {
		return 0, err
	}
	var all []*engine.Engine
	for range engines {
		e, err := s.newEngine(ctx)
		if err != nil {
			return 0, err
		}
		all = append(all, e)
	}
	var opened atomic.Int64
	failures := make([]error, engines)
	var group sync.WaitGroup
	began := time.Now()
	for i, e := range all {
		group.Go(func() {
			for opened.Load() < n && failures[i] == nil && time.Since(began) < time.Minute {
				var here int
				here, failures[i] = steps.Of(e).Sweep(ctx)
				opened.Add(int64(here))
			}
		})
	}
	group.Wait()
	took := time.Since(began)
	for _, err := range failures {
		if err != nil {
			return 0, err
		}
	}
	after, err := count(ctx, s.pool, countIncidents)
	s.wrong += abs(n-opened.Load()) + abs(n-(after-before))
	return took, err
}

func abs(n int64) int64 { return max(n, -n) }
