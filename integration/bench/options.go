package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sendpromptly/sendpromptly/integration/bench/flow"
)

// options are how a run was asked for, and the sizes that follow.
type options struct {
	quick   bool
	only    []string
	systems []string
	clients []int
	slice   time.Duration
	rounds  int
	out     string
	set     map[string]string
	keyOnly bool
	record  string
	report  []string
	sizes   sizes
	// budget is how long the run may take; 0 where the sizes say it.
	budget time.Duration
	// share is what part of a full run's sizes a budget leaves.
	share float64
}

// sizes are how much each part does.
type sizes struct {
	costFlows    int           // flows that the exact costs are taken over
	warmUp       int           // flows that each connection carries before its throughput counts
	flowBudget   time.Duration // for all slices together; at least minRounds rounds are run
	history      [3]int64      // effects: small, middle, large
	overdue      int64         // incidents to open at once
	dead         int           // dead entries that an old transaction holds
	emptySweeps  int           // sweeps that a time is the median of
	openings     int           // times each count of sweepers opens them
	owed         int64         // effects owed while detection is measured
	duePerSecond int64
	dueSeconds   int64
	bulkSlices   int
	bulkBatches  int // of 1,000, a slice
	listEffects  int64
	listIncident int64
	listRounds   int
	pageRounds   int
	callbacks    int64
	seal         int64
	sealFor      time.Duration
	retain       int64 // effects that may leave
	retainSlices int
}

var quickSizes = sizes{
	costFlows: 2_000, warmUp: 25, flowBudget: 50 * time.Second,
	history: [3]int64{50_000, 150_000, 300_000}, overdue: 20_000, openings: 2, dead: 100_000, emptySweeps: 200,
	owed: 100_000, duePerSecond: 500, dueSeconds: 8,
	bulkSlices: 6, bulkBatches: 5,
	listEffects: 100_000, listIncident: 20_000, listRounds: 100, pageRounds: 60,
	callbacks: 200, seal: 2_000, sealFor: 6 * time.Second,
	retain: 60_000, retainSlices: 12,
}

var fullSizes = sizes{
	costFlows: 20_000, warmUp: 50, flowBudget: 30 * time.Minute,
	history: [3]int64{1_000_000, 5_000_000, 10_000_000}, overdue: 100_000, openings: 3, dead: 100_000, emptySweeps: 500,
	owed: 1_000_000, duePerSecond: 1_000, dueSeconds: 60,
	bulkSlices: 30, bulkBatches: 10,
	listEffects: 5_000_000, listIncident: 1_000_000, listRounds: 1_000, pageRounds: 500,
	callbacks: 2_000, seal: 40_000, sealFor: 90 * time.Second,
	retain: 500_000, retainSlices: 40,
}

// stages are the names of the three sizes of history, in the rows' names.
var stages = [3]string{"small", "middle", "large"}

const (
	// minRounds are run even where the budget is spent.
	minRounds = 3
	// bulkBatch is how many receipts an import sends at once.
	bulkBatch = 1_000
	// queueDepth is how many flows of a client wait between their two transactions.
	queueDepth = 8
)

// parseOptions reads the command line.
func parseOptions(args []string, out io.Writer) (options, error) {
	o := options{set: map[string]string{}}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.BoolVar(&o.quick, "quick", false, "small sizes, a few minutes")
	only := flags.String("only", "", "parts to run, separated by commas: "+strings.Join(partNames(), ", "))
	systems := flags.String("systems", strings.Join(flow.Names, ","), "systems of the comparison; baselines come along")
	clients := flags.String("clients", "1,8,32", "numbers of clients, each at most "+strconv.Itoa(maxClients))
	flags.DurationVar(&o.slice, "slice", 0, "length of a slice of the throughput (default 1s, quick 250ms)")
	flags.IntVar(&o.rounds, "rounds", 0, "rounds of the throughput (default: as many as fit into its time, up to 25)")
	flags.BoolVar(&o.keyOnly, "key-only", false, "receipts with nothing but their key, to see what the columns cost")
	flags.StringVar(&o.out, "out", "", "the file to write (default bench.json at the top of the repository)")
	flags.StringVar(
		&o.record,
		"record",
		"",
		"also write the exact costs of our own systems to this file, for the test that holds later versions against them",
	)
	flags.DurationVar(
		&o.budget,
		"budget",
		0,
		"how long the run may take, as in 25m: sizes shrink, and what the time does not suffice for is left out",
	)
	documents := flags.String(
		"report",
		"",
		"run nothing: write the figures of the last run's file into the marked regions of these documents, separated by commas",
	)
	flags.Func("set", "a server setting as name=value, may be repeated", func(text string) error {
		name, value, found := strings.Cut(text, "=")
		if !found {
			return fmt.Errorf("want name=value")
		}
		o.set[name] = value
		return nil
	})
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("%q is not an option", flags.Arg(0))
	}
	if o.quick && o.budget > 0 {
		return o, errors.New("a quick run has no budget")
	}
	if *documents != "" {
		o.report = strings.Split(*documents, ",")
	}
	err := o.complete(*only, *systems, *clients)
	return o, err
}

// complete fills in what follows from the rest.
func (o *options) complete(only, systems, clients string) (err error) {
	o.sizes, o.share = fullSizes, 1
	slice := time.Second
	if o.quick {
		o.sizes, slice = quickSizes, 250*time.Millisecond
	}
	if o.slice == 0 {
		o.slice = slice
	}
	if o.budget > 0 {
		o.within(o.budget)
	}
	if o.only, err = oneOf(only, partNames()); err != nil {
		return err
	}
	if o.systems, err = oneOf(systems, flow.Names); err != nil {
		return err
	}
	for _, text := range strings.Split(clients, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil || n < 1 || n > maxClients {
			return fmt.Errorf("%q is no number of clients", text)
		}
		o.clients = append(o.clients, n)
	}
	if o.out == "" {
		o.out, err = topFile("bench.json")
	}
	return err
}

// oneOf splits a list and refuses what is not among the known names.
func oneOf(list string, known []string) ([]string, error) {
	var chosen []string
	for _, name := range strings.Split(list, ",") {
		if name = strings.TrimSpace(name); name == "" {
			continue
		}
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("there is no %q: want some of %s", name, strings.Join(known, ", "))
		}
		chosen = append(chosen, name)
	}
	return chosen, nil
}

// chosen are the parts to run, in their order.
func (o options) chosen() []part {
	if len(o.only) == 0 {
		return parts
	}
	var chosen []part
	for _, p := range parts {
		if slices.Contains(o.only, p.name) || p.always {
			chosen = append(chosen, p)
		}
	}
	return chosen
}

// topFile is a file at the top of the repository, above this module.
func topFile(name string) (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && strings.HasPrefix(string(text), "module github.com/sendpromptly/sendpromptly\n") {
			return filepath.Join(dir, name), nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", fmt.Errorf("run this within the repository, or say --out")
		}
		dir = parent
	}
}

func limitText(o options) string {
	if o.quick {
		return "4 minutes"
	}
	if o.budget > 0 {
		return fmt.Sprintf("about %.0f minutes", o.budget.Minutes())
	}
	return "90 minutes"
}

func diskLimit(o options) int {
	if o.quick {
		return 6
	}
	return 25
}
