package main

import (
	"context"
	"fmt"
	"time"

	"github.com/sendpromptly/sendpromptly/integration/bench/flow"
	"github.com/sendpromptly/sendpromptly/integration/bench/report"
)

// setting is one of the ways in which throughput is measured.
type setting struct {
	clients int
	delay   time.Duration
}

// suffix ends the names of the setting's rows: _8, or _1ms_8.
func (s setting) suffix() string {
	if s.delay > 0 {
		return fmt.Sprintf("_%dms_%d", s.delay.Milliseconds(), s.clients)
	}
	return fmt.Sprintf("_%d", s.clients)
}

// series are one system's figures by round.
type series struct{ perSecond, cpu map[int]float64 }

// measureThroughput runs every setting in every round, each system for a slice, until the time is used up.
func measureThroughput(ctx context.Context, b *bench) error {
	runners, err := b.systems(ctx)
	if err != nil {
		return err
	}
	var settings []setting
	for _, delay := range []time.Duration{0, time.Millisecond} {
		for _, clients := range b.opts.clients {
			settings = append(settings, setting{clients, delay})
		}
	}
	if err := b.prepare(ctx, runners); err != nil {
		return err
	}
	before, err := flowReads(ctx, runners)
	if err != nil {
		return err
	}
	figures := map[setting]map[string]series{}
	began, rounds, limit := time.Now(), b.opts.rounds, b.opts.sizes.flowBudget
	if rounds == 0 {
		rounds = 25
	}
	round := 0
	for ; round < rounds && (b.opts.rounds > 0 || round < minRounds || time.Since(began) < limit); round++ {
		for i, s := range settings {
			if figures[s] == nil {
				figures[s] = map[string]series{}
			}
			if err := b.round(ctx, runners, s, round, figures[s]); err != nil {
				return err
			}
			done := float64(round) + float64(i+1)/float64(len(settings))
			b.progress.Done(max(done/float64(rounds), time.Since(began).Seconds()/limit.Seconds()))
		}
	}
	b.report.Settings["flow_rounds"] = round
	if err := addReads(ctx, b.report, runners, before); err != nil {
		return err
	}
	for _, s := range settings {
		addThroughput(b.report, runners, s, figures[s])
	}
	return nil
}

// reads is the number of rows and index entries of our tables that were read so far, and the number of flows.
type reads struct{ rows, flows int64 }

// flowReads reads the server's statistics, which are at most a second late while flows run.
func flowReads(ctx context.Context, runners []*runner) (map[string]reads, error) {
	all := map[string]reads{}
	for _, r := range runners {
		if !flow.Ours(r.Name) {
			continue
		}
		n, err := count(
			ctx,
			r.Pool,
			`SELECT ((SELECT sum(seq_tup_read) FROM pg_stat_user_tables WHERE schemaname = $1 AND relname <> 'projects')
			+ (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes WHERE schemaname = $1))::bigint`,
			flow.Schema,
		)
		if err != nil {
			return nil, err
		}
		all[r.Name] = reads{n, r.next.Load()}
	}
	return all, nil
}

// addReads reports how many rows were read per flow: a handful, unless a plan went wrong. The table of projects has one row.
func addReads(ctx context.Context, to *report.Report, runners []*runner, before map[string]reads) error {
	after, err := flowReads(ctx, runners)
	if err != nil {
		return err
	}
	for _, r := range runners {
		if now, there := after[r.Name]; there {
			rows := float64(now.rows-before[r.Name].rows) / float64(now.flows-before[r.Name].flows)
			to.Add(
				report.Row{
					Name:   "flow_rows_read",
					System: r.Name,
					Value:  rows,
					Unit:   "rows and index entries per flow",
					Target: report.AtMost(10),
				},
			)
		}
	}
	return nil
}

// prepare gives every system some history, opens every connection and fills every queue. The history matters: a plan
// that was made while a table was nearly empty reads it from end to end, and stays until the table is analyzed.
func (b *bench) prepare(ctx context.Context, runners []*runner) error {
	for _, r := range runners {
		if err := r.Pool.Fill(ctx, maxClients); err != nil {
			return err
		}
		if err := r.fill(ctx, maxClients); err != nil {
			return err
		}
		if more := b.costFlows(r)*2 - int(r.next.Load()); more > 0 {
			if err := r.turns(ctx, maxClients, more); err != nil {
				return err
			}
		}
		if err := r.Pool.Vacuum(ctx); err != nil {
			return err
		}
	}
	// After the last vacuum, because new statistics mean new plans. Statements are prepared with a connection's first flow;
	// Postgres plans a function's statements five times before it keeps a plan.
	for _, r := range runners {
		if err := r.turns(ctx, maxClients, maxClients*b.opts.sizes.warmUp); err != nil {
			return err
		}
	}
	return nil
}

// round gives each system its slice.
func (b *bench) round(ctx context.Context, runners []*runner, s setting, round int, figures map[string]series) error {
	for _, i := range report.Order(len(runners), round) {
		r := runners[i]
		r.Pool.SetDelay(s.delay)
		got, err := r.slice(ctx, s.clients, b.opts.slice)
		r.Pool.SetDelay(0)
		if err != nil {
			return err
		}
		of, there := figures[r.Name]
		if !there {
			of = series{perSecond: map[int]float64{}, cpu: map[int]float64{}}
			figures[r.Name] = of
		}
		of.perSecond[round] = got.perSecond()
		if got.cpu >= 0 && got.flows > 0 {
			of.cpu[round] = got.cpuPerFlow()
		}
	}
	return nil
}

// The targets by number of clients: throughput as a share of the baseline's.
var shareTargets = map[int]float64{1: 0.90, 8: 0.88, 32: 0.85}

// addThroughput writes the rows of one setting.
func addThroughput(to *report.Report, runners []*runner, s setting, figures map[string]series) {
	for _, r := range runners {
		got := figures[r.Name]
		to.AddSeries(report.Row{Name: "throughput" + s.suffix(), System: r.Name, Unit: "flows/s"}, values(got.perSecond))
		if s.delay == 0 {
			to.AddSeries(report.Row{Name: "server_cpu" + s.suffix(), System: r.Name, Unit: "µs per flow"}, values(got.cpu))
		}
		if r.Baseline == "" {
			to.AddSeries(
				report.Row{Name: "noise" + s.suffix(), System: r.Name, Unit: "x " + r.Name + ", one round earlier"},
				report.Neighbours(got.perSecond),
			)
			continue
		}
		addRatios(to, r.System, s, got, figures)
	}
}

// addRatios writes a system's ratio to its baseline, and ours to River's cancelled job.
func addRatios(to *report.Report, system *flow.System, s setting, got series, figures map[string]series) {
	base := figures[system.Baseline]
	share := report.Row{Name: "throughput_ratio" + s.suffix(), System: system.Name, Unit: "x " + system.Baseline}
	cpu := report.Row{Name: "server_cpu_added" + s.suffix(), System: system.Name, Unit: "of " + system.Baseline}
	river := report.Row{Name: "throughput_vs_river" + s.suffix(), System: system.Name, Unit: "x " + flow.RiverCancel}
	target, known := shareTargets[s.clients]
	switch {
	case s.delay > 0 && system.Name == flow.OursBatched:
		share.Target = report.AtLeast(0.97) // one more statement each is 2 round trips in 7 more, whatever it does
	case s.delay == 0 && (system.Name == flow.OursBatched || system.Name == flow.OursPlain):
		if known {
			share.Target = report.AtLeast(target)
		}
		cpu.Target = report.AtMost(0.30)
		if s.clients > 1 {
			river.Target = report.AtLeast(1.4)
		}
	}
	to.AddSeries(share, report.Pair(got.perSecond, base.perSecond, report.Of))
	if s.delay == 0 {
		to.AddSeries(cpu, report.Pair(got.cpu, base.cpu, report.Added))
	}
	if flow.Ours(system.Name) && s.delay == 0 && s.clients > 1 {
		to.AddSeries(river, report.Pair(got.perSecond, figures[flow.RiverCancel].perSecond, report.Of))
	}
}

// values are a series' figures in no particular order.
func values(by map[int]float64) []float64 {
	var out []float64
	for _, v := range by {
		out = append(out, v)
	}
	return out
}
