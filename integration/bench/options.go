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

// options are the options of a run, and the sizes that follow from them.
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
	// budget is how long the run may take; 0 if only the sizes limit it.
	budget time.Duration
	// share is the share of a full run's sizes that the budget allows.
	share float64
}

// sizes are the amounts of work of each part.
type sizes struct {
	costFlows    int           // flows over which the exact costs are measured
	warmUp       int           // flows on each connection before its throughput counts
	flowBudget   time.Duration // for all slices together; at least minRounds rounds are run
	history      [3]int64      // effects: small, middle, large
	overdue      int64         // incidents to open at once
	dead         int           // dead entries that an old transaction holds
	emptySweeps  int           // sweeps per median
	openings     int           // repetitions for each number of sweepers
	owed         int64         // effects owed while detection is measured
	duePerSecond int64
	dueSeconds   int64
	bulkSlices   int
	bulkBatches  int // of 1,000, per slice
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
	// minRounds are run even if the budget is used up.
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
	flags.BoolVar(&o.quick, "quick", false, "use small sizes: the run takes a few minutes")
	only := flags.String("only", "", "parts to run, separated by commas: "+strings.Join(partNames(), ", "))
	systems := flags.String("systems", strings.Join(flow.Names, ","), "systems to compare, separated by commas; baselines are added")
	clients := flags.String("clients", "1,8,32", "numbers of clients, separated by commas, each at most "+strconv.Itoa(maxClients))
	flags.DurationVar(&o.slice, "slice", 0, "length of one throughput slice (default 1s, with --quick 250ms)")
	flags.IntVar(&o.rounds, "rounds", 0, "number of throughput rounds (default: as many as fit into its time, up to 25)")
	flags.BoolVar(&o.keyOnly, "key-only", false, "write receipts with only their key, to see what the other columns cost")
	flags.StringVar(&o.out, "out", "", "the file to write (default bench.json at the top of the repository)")
	flags.StringVar(
		&o.record,
		"record",
		"",
		"also write the exact costs of our own systems to this file, which a test compares with later versions",
	)
	flags.DurationVar(
		&o.budget,
		"budget",
		0,
		"how long the run may take, as in 25m: sizes shrink, and parts that no longer fit are skipped",
	)
	documents := flags.String(
		"report",
		"",
		"measure nothing: write the figures of the last run's file into the marked regions of these documents, separated by commas",
	)
	flags.Func("set", "a server setting as name=value; may be repeated", func(text string) error {
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
		return o, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if o.quick && o.budget > 0 {
		return o, errors.New("--quick and --budget exclude each other")
	}
	if *documents != "" {
		o.report = strings.Split(*documents, ",")
	}
	err := o.complete(*only, *systems, *clients)
	return o, err
}

// complete sets the values that follow from the other options.
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
			return fmt.Errorf("%q is not a number of clients: want 1 to %d", text, maxClients)
		}
		o.clients = append(o.clients, n)
	}
	if o.out == "" {
		o.out, err = topFile("bench.json")
	}
	return err
}

// oneOf splits a list and refuses unknown names.
func oneOf(list string, known []string) ([]string, error) {
	var chosen []string
	for _, name := range strings.Split(list, ",") {
		if name = strings.TrimSpace(name); name == "" {
			continue
		}
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("unknown name %q: want some of %s", name, strings.Join(known, ", "))
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
			return "", fmt.Errorf("the repository was not found: run this within it, or pass --out")
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
