package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"time"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/integration/bench/flow"
	"github.com/sendpromptly/sendpromptly/integration/bench/pg"
	"github.com/sendpromptly/sendpromptly/integration/bench/report"
)

// part is one group of measurements.
type part struct {
	name, title string
	// seconds is the expected duration, for the progress bar.
	seconds func(options) float64
	run     func(context.Context, *bench) error
	// always means that it runs with every choice of parts.
	always bool
	// compares means that it needs the systems of the comparison, which are closed after the last such part.
	compares bool
}

// parts are all parts in the order of a run. Byte-exact measurements come first, on an empty server.
var parts []part

func init() { // a variable would refer to itself through the options
	estimate := func(quick, full float64) func(options) float64 {
		return func(o options) float64 {
			if o.quick {
				return quick
			}
			return full * o.share
		}
	}
	parts = []part{
		{name: "calls", title: "round trips of each call", seconds: estimate(1, 1), run: measureCalls},
		{name: "cost", title: "exact costs of a flow", seconds: estimate(40, 400), run: measureCosts, compares: true},
		{name: "flow", title: "throughput", seconds: estimate(80, 1850), run: measureThroughput, compares: true},
		{name: "bulk", title: "bulk receipts and COPY", seconds: estimate(5, 60), run: measureBulk},
		{name: "sweep", title: "sweeps over a growing history", seconds: estimate(35, 900), run: measureSweeps},
		{name: "lag", title: "detection", seconds: estimate(15, 120), run: measureLag},
		{name: "queries", title: "lists and pages", seconds: estimate(10, 300), run: measureQueries},
		{name: "pages", title: "the console's pages", seconds: estimate(10, 180), run: measurePages},
		{name: "callbacks", title: "callbacks", seconds: estimate(3, 30), run: measureCallbacks},
		{name: "seal", title: "sealing", seconds: estimate(8, 100), run: measureSealing},
		{name: "retain", title: "retention beside flows", seconds: estimate(12, 120), run: measureRetention},
		{name: "verify", title: "nothing lost", seconds: estimate(5, 300), run: verifyAll, always: true},
	}
}

func partNames() []string {
	var names []string
	for _, p := range parts {
		names = append(names, p.name)
	}
	return names
}

// maxClients is the size of each system's pool. Eight systems have one each, and a server of localpg takes 300 connections.
const maxClients = 32

// bench is one run.
type bench struct {
	opts     options
	server   *pg.Server
	report   *report.Report
	progress *report.Progress

	runners []*runner
	owned   []owned
	lists   lists
}

// owned is a database with our schema, which is verified at the end.
type owned struct {
	name, url string
	// flows is how many flows must have left their rows; -1 if the database has none.
	flows int64
}

// state records the settings that the figures depend on, and prints them.
func (b *bench) state(ctx context.Context) error {
	settings, err := b.server.Settings(ctx)
	if err != nil {
		return err
	}
	b.report.Settings = map[string]any{
		"postgres":       settings,
		"go":             runtime.Version(),
		"os":             runtime.GOOS + "/" + runtime.GOARCH,
		"cpus":           runtime.NumCPU(),
		"quick":          b.opts.quick,
		"key_only":       b.opts.keyOnly,
		"clients":        b.opts.clients,
		"slice_ms":       b.opts.slice.Milliseconds(),
		"queue_depth":    queueDepth,
		"history":        b.opts.sizes.history,
		"overdue":        b.opts.sizes.overdue,
		"owed":           b.opts.sizes.owed,
		"dead_entries":   b.opts.sizes.dead,
		"list_effects":   b.opts.sizes.listEffects,
		"list_incidents": b.opts.sizes.listIncident,
		"cost_flows":     b.opts.sizes.costFlows,
		"budget_minutes": b.opts.budget.Minutes(),
		"share_of_full":  b.opts.share,
		"due_per_second": b.opts.sizes.duePerSecond,
		"started_at":     time.Now().UTC().Format(time.RFC3339),
		"modules": moduleVersions(
			"github.com/riverqueue/river",
			"github.com/dbos-inc/dbos-transact-golang",
			"github.com/jackc/pgx/v5",
		),
	}
	line := ""
	for _, name := range pg.Told {
		if value, there := settings[name]; there {
			line += fmt.Sprintf(" %s=%s", name, value)
		}
	}
	fmt.Fprintf(os.Stderr, "PostgreSQL%s; %s on %d CPUs\n", line, runtime.Version(), runtime.NumCPU())
	return nil
}

// tell prints the table and writes the file.
func (b *bench) tell(ctx context.Context, started time.Time) error {
	if disk, err := b.server.DiskBytes(context.WithoutCancel(ctx)); err == nil {
		b.report.Add(
			report.Row{
				Name:   "disk_used",
				System: "run",
				Value:  float64(disk) / 1e9,
				Unit:   "GB",
				Target: report.AtMost(float64(diskLimit(b.opts))),
			},
		)
	}
	limit := 90.0
	if b.opts.quick {
		limit = 4
	}
	b.report.Add(
		report.Row{
			Name:   "run_duration",
			System: "run",
			Value:  time.Since(started).Minutes(),
			Unit:   "minutes",
			Target: report.AtMost(limit),
		},
	)
	if err := b.report.WriteTable(os.Stdout); err != nil {
		return err
	}
	fmt.Println("\nThe same as Markdown (--report writes it into docs/performance.md):")
	b.report.WriteMarkdown(os.Stdout, func(report.Row) bool { return true })
	if err := b.report.WriteFile(b.opts.out); err != nil {
		return err
	}
	if b.opts.record != "" {
		if err := recordCosts(b.report, b.opts.record); err != nil {
			return err
		}
	}
	for _, row := range b.report.Rows {
		if (row.Name == "verify_problems" || row.Name == "flows_lost") && row.Value != 0 {
			return errUnsound
		}
	}
	return nil
}

// close stops everything that still runs.
func (b *bench) close() {
	for _, r := range b.runners {
		r.Close()
	}
	b.runners = nil
}

// engineOn makes a migrated database for one part, with a pool and an engine on it. The run verifies it at the end.
func (b *bench) engineOn(ctx context.Context, name string, conns int) (*pg.Pool, *engine.Engine, error) {
	pool, err := b.server.NewDatabase(ctx, conns)
	if err != nil {
		return nil, nil, err
	}
	e, err := flow.NewEngine(ctx, pool)
	if err != nil {
		pool.Close()
		return nil, nil, err
	}
	b.owned = append(b.owned, owned{name: name, url: pool.Config().ConnString(), flows: -1})
	return pool, e, nil
}

// systems makes the systems of the comparison once, each in a database of its own.
func (b *bench) systems(ctx context.Context) ([]*runner, error) {
	if b.runners != nil {
		return b.runners, nil
	}
	for _, name := range flow.Names {
		if !b.wanted(name) {
			continue
		}
		pool, err := b.server.NewDatabase(ctx, maxClients+extraConns[name])
		if err != nil {
			return nil, err
		}
		system, err := flow.Build(ctx, name, pool)
		if err != nil {
			pool.Close()
			return nil, err
		}
		b.runners = append(b.runners, newRunner(system, b.opts.keyOnly))
	}
	return b.runners, nil
}

// extraConns is what a system needs in addition to one connection per client: DBOS listens on one and starts workflows on others.
var extraConns = map[string]int{flow.DBOS: 8}

// wanted says whether a system was chosen, or is the baseline of a chosen one.
func (b *bench) wanted(name string) bool {
	if slices.Contains(b.opts.systems, name) {
		return true
	}
	for _, chosen := range b.opts.systems {
		if name == flow.Bare && chosen != flow.BareBatched && chosen != flow.OursBatched ||
			name == flow.BareBatched && chosen == flow.OursBatched {
			return true
		}
	}
	return false
}

// retire ends the comparison: it finishes the flows of our own systems and keeps their databases, to be verified later.
func (b *bench) retire(ctx context.Context) error {
	var failures []error
	for _, r := range b.runners {
		if flow.Ours(r.Name) {
			failures = append(failures, r.drain(ctx))
			b.owned = append(b.owned, owned{name: r.Name, url: r.Pool.Config().ConnString(), flows: r.next.Load()})
		}
		r.Close()
	}
	b.runners = nil
	return errors.Join(failures...)
}

// moduleVersions are the versions of the modules in this program.
func moduleVersions(paths ...string) map[string]string {
	versions := map[string]string{}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return versions
	}
	for _, dep := range info.Deps {
		if slices.Contains(paths, dep.Path) {
			versions[dep.Path] = dep.Version
		}
	}
	return versions
}

// skip records that the budget was used up before a part.
func (b *bench) skip(p part) {
	b.progress.Note("%s: skipped, the time budget is used up", p.title)
	skipped, _ := b.report.Settings["skipped"].([]string)
	b.report.Settings["skipped"] = append(skipped, p.name)
}
