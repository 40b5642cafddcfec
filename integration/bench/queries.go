package main

import (
	"context"
	"fmt"
	"time"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/integration/bench/pg"
	"github.com/sendpromptly/sendpromptly/integration/bench/report"
)

// query is one read of the console.
type query struct {
	name string
	run  func(context.Context) error
}

// lists is the database of the lists and pages: its address, and the number of its newest effect.
type lists struct {
	url  string
	last int64
}

// filledLists makes that database, once.
func (b *bench) filledLists(ctx context.Context) (lists, error) {
	if b.lists.url != "" {
		return b.lists, nil
	}
	pool, _, err := b.engineOn(ctx, "queries", 4)
	if err != nil {
		return lists{}, err
	}
	defer pool.Close()
	f := &filler{pool: pool}
	effects, incidents := b.opts.sizes.listEffects, b.opts.sizes.listIncident
	if err := f.write(
		ctx,
		effects-incidents,
		settled,
		f.longAgo(),
		func(share float64) { b.progress.Done(share * 0.6) },
	); err != nil {
		return lists{}, err
	}
	if err := f.write(ctx, incidents, opened, f.longAgo(), func(share float64) { b.progress.Done(0.6 + share*0.2) }); err != nil {
		return lists{}, err
	}
	b.lists = lists{pool.Config().ConnString(), f.next}
	return b.lists, pool.Vacuum(ctx)
}

// measureQueries compares each list and page with a bare `select 1` on the same connection, in turns.
func measureQueries(ctx context.Context, b *bench) error {
	lists, err := b.filledLists(ctx)
	if err != nil {
		return err
	}
	return b.countScans(ctx, lists.url, "query_seq_scans", func() error { return b.timeQueries(ctx, lists.url, lists.last) })
}

// countScans records how many tables that grow were read from end to end while work ran. The sessions of work must have
// ended when it returns.
func (b *bench) countScans(ctx context.Context, url, row string, work func() error) error {
	watch, err := pg.Open(ctx, url, 1)
	if err != nil {
		return err
	}
	defer watch.Close()
	before, err := tableScans(ctx, watch)
	if err != nil {
		return err
	}
	if err := work(); err != nil {
		return err
	}
	after, err := tableScans(ctx, watch)
	b.report.Add(report.Row{
		Name: row, System: "ours", Value: float64(after - before), Unit: "of tables that grow",
		Target: report.AtMost(0), Exact: true,
	})
	return err
}

// tableScans counts the sequential scans of the tables that grow, as far as the sessions have reported their statistics.
func tableScans(ctx context.Context, pool *pg.Pool) (int64, error) {
	return count(ctx, pool, `SELECT sum(seq_scan)::bigint FROM pg_stat_user_tables
		WHERE schemaname = 'sendpromptly' AND relname IN ('effects', 'entries', 'incidents', 'terms')`)
}

// timeQueries uses a pool of its own: closing it reports its work to the server's statistics.
func (b *bench) timeQueries(ctx context.Context, url string, last int64) error {
	pool, err := pg.Open(ctx, url, 1)
	if err != nil {
		return err
	}
	defer pool.Close()
	e, err := engine.New(ctx, pool.Pool, engine.Config{})
	if err != nil {
		return err
	}
	queries, err := consoleQueries(ctx, e, last)
	if err != nil {
		return err
	}
	one := func(ctx context.Context) error { var n int; return pool.QueryRow(ctx, "SELECT 1").Scan(&n) }
	for i, q := range queries {
		var ratios, times []float64
		for round := range b.opts.sizes.listRounds + 10 {
			base, err := timed(ctx, one)
			if err != nil {
				return err
			}
			took, err := timed(ctx, q.run)
			if err != nil {
				return fmt.Errorf("%s: %w", q.name, err)
			}
			if round >= 10 { // before that Postgres still plans it again each time
				ratios, times = append(ratios, took/base), append(times, took)
			}
		}
		b.report.AddSeries(report.Row{Name: "query_" + q.name, System: "ours", Unit: "x select 1"}, ratios)
		b.report.AddSeries(report.Row{Name: "query_ms_" + q.name, System: "ours", Unit: "ms"}, times)
		b.progress.Done(0.8 + 0.2*float64(i+1)/float64(len(queries)))
	}
	return nil
}

// timed runs once and returns milliseconds.
func timed(ctx context.Context, run func(context.Context) error) (float64, error) {
	began := time.Now()
	err := run(ctx)
	return time.Since(began).Seconds() * 1000, err
}

// consoleQueries are the lists and pages that a console shows. last is the number of the newest effect.
func consoleQueries(ctx context.Context, e *engine.Engine, last int64) ([]query, error) {
	page, err := e.Incidents(ctx, engine.IncidentFilter{Open: true, Limit: 500})
	if err != nil {
		return nil, err
	}
	if len(page.Incidents) == 0 {
		return nil, fmt.Errorf("the database has no open incident")
	}
	deep := page.Incidents[len(page.Incidents)/2]
	list := func(name string, filter engine.IncidentFilter) query {
		return query{name, func(ctx context.Context) error {
			got, err := e.Incidents(ctx, filter)
			if err == nil && len(got.Incidents) == 0 {
				err = fmt.Errorf("the list is empty")
			}
			return err
		}}
	}
	return []query{
		list("list_newest", engine.IncidentFilter{}),
		list("list_open", engine.IncidentFilter{Open: true}),
		list("list_open_next", engine.IncidentFilter{Open: true, Before: deep.ID}),
		list("list_resolved", engine.IncidentFilter{State: engine.StateApplied}),
		list("list_by_cause", engine.IncidentFilter{Open: true, Cause: engine.CauseMissing}),
		list("list_by_provider", engine.IncidentFilter{Provider: "stripe"}),
		list("list_by_term", engine.IncidentFilter{Term: fmt.Sprintf("cus_%014d", last-7)}),
		{"show_incident", func(ctx context.Context) error { _, err := e.Incident(ctx, deep.ID); return err }},
		{"show_by_key", func(ctx context.Context) error { _, err := e.Find(ctx, deep.Key); return err }},
		{"show_timeline", func(ctx context.Context) error { _, err := e.Timeline(ctx, deep.EffectID, 0); return err }},
	}, nil
}
