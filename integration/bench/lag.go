package main

import (
	"context"
	"fmt"
	"time"

	"github.com/sendpromptly/sendpromptly/integration/bench/report"
)

// measureLag runs an engine as an app runs it, with many effects that are owed for days. It measures how long after
// their deadlines the incidents of a steady stream open.
func measureLag(ctx context.Context, b *bench) error {
	const notice = 3 * time.Second // from the last fill to the first deadline
	pool, e, err := b.engineOn(ctx, "lag", 8)
	if err != nil {
		return err
	}
	defer pool.Close()
	f := &filler{pool: pool}
	days := span{first: time.Now(), step: 10 * time.Microsecond, timeout: 20 * 24 * time.Hour}
	if err := f.write(ctx, b.opts.sizes.owed, awaiting, days, func(share float64) { b.progress.Done(share * 0.4) }); err != nil {
		return err
	}
	// The search terms of the owed effects are already indexed, as they would be in production.
	const folded = `INSERT INTO sendpromptly.term_cursors (project_id, effect_id) SELECT project_id, max(effect_id::text)::uuid
		FROM sendpromptly.effects GROUP BY project_id`
	if _, err := pool.Exec(ctx, folded); err != nil {
		return err
	}
	if err := pool.Vacuum(ctx); err != nil {
		return err
	}
	n := b.opts.sizes.duePerSecond * b.opts.sizes.dueSeconds
	step := time.Second / time.Duration(b.opts.sizes.duePerSecond)
	first := time.Now().Add(notice)
	if err := f.write(ctx, n, awaiting, span{first: first.Add(-ordinary), step: step, timeout: ordinary}, nil); err != nil {
		return err
	}
	running, stop := context.WithDeadline(ctx, first.Add(time.Duration(n)*step+notice))
	defer stop()
	if err := e.Run(running); err != nil {
		return err
	}
	var p50, p99 float64
	err = pool.QueryRow(ctx, `SELECT coalesce(percentile_cont(0.5) WITHIN GROUP (ORDER BY lag), 0),
		coalesce(percentile_cont(0.99) WITHIN GROUP (ORDER BY lag), 0)
		FROM (SELECT extract(epoch FROM i.opened_at - e.deadline)::float8 * 1000 AS lag FROM sendpromptly.incidents AS i
		JOIN sendpromptly.effects AS e USING (project_id, effect_id)) AS l`).
		Scan(&p50, &p99)
	if err != nil {
		return err
	}
	found, err := count(ctx, pool, countIncidents)
	if err != nil {
		return err
	}
	unit := fmt.Sprintf("ms, sweeping every second, %d owed", b.opts.sizes.owed)
	b.report.Add(report.Row{Name: "detection_p50", System: "ours", Value: p50, Unit: unit})
	b.report.Add(report.Row{Name: "detection_p99", System: "ours", Value: p99, Unit: unit, Target: report.AtMost(2_000)})
	b.report.Add(
		report.Row{
			Name:   "detection_missed",
			System: "ours",
			Value:  float64(n - found),
			Unit:   "incidents",
			Target: report.AtMost(0),
			Exact:  true,
		},
	)
	return nil
}
