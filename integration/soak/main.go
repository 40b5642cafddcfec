// Command soak lets a database age: millions of transitions through the real functions while an engine sweeps, seals,
// indexes and purges at the same time. It measures whether the sweep is as fast at the end as at the beginning.
//
//	make soak                                   10 million transitions
//	make soak ARGS="--transitions 200000"       a small one
//	make soak ARGS="--idle 1,10,100,1000"       instead: the load of so many engines while nothing is due
//
// A transition is an effect that enters a state. It starts a Postgres of its own, prints a table with one line per
// tenth of the run, and writes soak.json at the top of the repository.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/sendpromptly/sendpromptly/integration/bench/pg"
)

// options are the options of a run.
type options struct {
	transitions int64
	writers     int
	// every is the sweep's interval: shorter than an engine's, so that a tenth of the run has enough sweeps for a p99.
	every time.Duration
	out   string
	// idle are numbers of engines to run on an idle database instead, each for the time during.
	idle   []int
	during time.Duration
}

func main() {
	o, err := parseOptions(os.Args[1:], os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	if len(o.idle) > 0 {
		err = idle(ctx, o, os.Stdout)
	} else {
		err = run(ctx, o, os.Stdout)
	}
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

func parseOptions(args []string, out io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("soak", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.Int64Var(&o.transitions, "transitions", 10_000_000, "number of transitions to make")
	flags.IntVar(&o.writers, "writers", 2, "number of connections that record receipts and outcomes")
	flags.DurationVar(&o.every, "every", 50*time.Millisecond, "interval of the sweep")
	flags.StringVar(&o.out, "out", "../soak.json", "the file to write")
	flags.Func("idle", "numbers of engines to run on an idle database instead, separated by commas", func(text string) error {
		for _, one := range strings.Split(text, ",") {
			n, err := strconv.Atoi(strings.TrimSpace(one))
			if err != nil || n < 1 {
				return errors.New("want whole numbers above zero")
			}
			o.idle = append(o.idle, n)
		}
		return nil
	})
	flags.DurationVar(&o.during, "during", time.Minute, "how long to measure each number of idle engines")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 || o.transitions < 1 || o.writers < 1 || o.every <= 0 {
		return o, errors.New("want --transitions N --writers N --every DURATION, each above zero")
	}
	return o, nil
}

// run ages one database and reports the result.
func run(ctx context.Context, o options, out io.Writer) error {
	server, err := pg.Start(ctx, nil)
	if err != nil {
		return err
	}
	defer server.Close()
	settings, err := server.Settings(ctx)
	if err != nil {
		return err
	}
	s, err := newSoak(ctx, server, o)
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.age(ctx); err != nil {
		return err
	}
	result, err := s.result(ctx, settings)
	if err != nil {
		return err
	}
	if err := result.write(o.out); err != nil {
		return err
	}
	result.table(out)
	if len(result.Problems) > 0 {
		return fmt.Errorf("verify found %d problems: %v", len(result.Problems), result.Problems)
	}
	return nil
}
