// Command bench measures what SendPromptly costs an app's own transactions, compared with the same transactions without
// it and with the alternatives. Then it measures sweeps, lists, imports, callbacks and seals.
//
//	make bench QUICK=1        a few minutes
//	make bench                at most 90 minutes and 25 GB of disk
//	make bench ARGS="--budget 25m"
//	make bench ARGS="--report ../docs/performance.md"
//
// It starts a Postgres of its own, prints a table and writes bench.json at the top of the repository. Systems take
// turns in short slices, and a ratio compares slices of the same round, so that a machine that drifts cancels out.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/sendpromptly/sendpromptly/integration/bench/pg"
	"github.com/sendpromptly/sendpromptly/integration/bench/report"
)

func main() {
	opts, err := parseOptions(os.Args[1:], os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(2)
	}
	if len(opts.report) > 0 {
		if err := writeDocuments(opts); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err = run(ctx, opts)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// errUnsound means that the figures are not valid: something was lost or is wrong.
var errUnsound = errors.New("verify found problems: see the rows verify_problems and flows_lost")

// run measures the chosen parts. If one fails, the figures of the others are still reported.
func run(ctx context.Context, opts options) error {
	fmt.Fprintf(os.Stderr, "This run takes at most %s and %d GB of disk.\n", limitText(opts), diskLimit(opts))
	started := time.Now()
	server, err := pg.Start(ctx, opts.set)
	if err != nil {
		return err
	}
	defer server.Close()
	b := &bench{opts: opts, server: server, report: &report.Report{}}
	if err := b.state(ctx); err != nil {
		return err
	}
	chosen := opts.chosen()
	total := 0.0
	for _, p := range chosen {
		total += p.seconds(opts)
	}
	b.progress = report.NewProgress(os.Stderr, total)
	var failures []error
	took := map[string]float64{}
	b.report.Settings["part_seconds"] = took
	for _, p := range chosen {
		if !p.always && opts.spent(started) {
			b.skip(p)
			continue
		}
		began := time.Now()
		b.progress.Part(p.title, p.seconds(opts))
		if !p.compares {
			failures = append(failures, b.retire(ctx))
		}
		if err := p.run(ctx, b); err != nil {
			failures = append(failures, fmt.Errorf("%s: %w", p.name, err))
		}
		took[p.name] = math.Round(time.Since(began).Seconds())
		if ctx.Err() != nil {
			break
		}
	}
	b.close()
	b.progress.Finish()
	failures = append(failures, b.tell(ctx, started))
	return errors.Join(failures...)
}
