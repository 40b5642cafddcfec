package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/sendpromptly/sendpromptly/integration/bench/report"
	"github.com/sendpromptly/sendpromptly/internal/steps"
	"github.com/sendpromptly/sendpromptly/internal/store/rooms"
)

// Result is the result of a run.
type Result struct {
	Settings    map[string]any `json:"settings"`
	Transitions int64          `json:"transitions"`
	Effects     int64          `json:"effects"`
	Seconds     float64        `json:"seconds"`
	// Growth is the p99 of the last tenth's sweeps over that of the first tenth's, by the wall clock and by the server's CPU.
	Growth    float64  `json:"p99_growth"`
	GrowthCPU float64  `json:"p99_growth_cpu"`
	Target    float64  `json:"target"`
	Met       bool     `json:"met"`
	Tenths    []Tenth  `json:"tenths"`
	Problems  []string `json:"problems"`
}

// Tenth is a tenth of the transitions, with the sweeps that fell into it.
type Tenth struct {
	Sweeps int   `json:"sweeps"`
	Opened int64 `json:"opened"`
	// Milliseconds of all sweeps, and of those that found nothing.
	P50   float64 `json:"p50_ms"`
	P99   float64 `json:"p99_ms"`
	Empty float64 `json:"empty_p50_ms"`
	// CPU99 is the p99 of the server's CPU time, in milliseconds.
	CPU99             float64 `json:"cpu_p99_ms"`
	TransitionsSecond float64 `json:"transitions_per_second"`
	Bytes             int64   `json:"bytes"`
	OwedBytes         int64   `json:"owed_bytes"`
	OwedDead          int64   `json:"owed_dead_rows"`
}

const target = 2

func (s *soak) result(ctx context.Context, settings map[string]string) (Result, error) {
	r := Result{
		Settings: map[string]any{
			"postgres": settings, "go": runtime.Version(), "os": runtime.GOOS + "/" + runtime.GOARCH, "cpus": runtime.NumCPU(),
			"writers": s.writers, "sweep_every_ms": s.every.Milliseconds(), "batch": batch,
		},
		Transitions: s.done.Load(), Effects: s.receipts.Load(), Seconds: time.Since(s.began).Seconds(), Target: target,
	}
	for i := range tenths {
		r.Tenths = append(r.Tenths, s.tenth(int64(i)))
	}
	first, last := r.Tenths[0], r.Tenths[tenths-1]
	r.Growth, r.GrowthCPU = last.P99/first.P99, last.CPU99/first.CPU99
	r.Met = r.Growth <= target
	var err error
	r.Problems, err = s.verify(ctx)
	return r, err
}

// tenth summarises the sweeps of one part.
func (s *soak) tenth(i int64) Tenth {
	var t Tenth
	var all, empty, cpu []float64
	for _, one := range s.sweeps {
		if min(one.at*tenths/s.transitions, tenths-1) != i {
			continue
		}
		t.Sweeps++
		t.Opened += int64(one.opened)
		all = append(all, milliseconds(one.took))
		cpu = append(cpu, milliseconds(one.cpu))
		if one.opened == 0 {
			empty = append(empty, milliseconds(one.took))
		}
	}
	slices.Sort(all)
	slices.Sort(empty)
	slices.Sort(cpu)
	if len(all) > 0 {
		t.P50, t.P99, t.CPU99 = report.Quantile(all, 0.5), report.Quantile(all, 0.99), report.Quantile(cpu, 0.99)
	}
	if len(empty) > 0 {
		t.Empty = report.Quantile(empty, 0.5)
	}
	if int(i) < len(s.marks) {
		m, before := s.marks[i], mark{}
		if i > 0 {
			before = s.marks[i-1]
		}
		t.Bytes, t.OwedBytes, t.OwedDead = m.bytes, m.owed, m.owedDead
		t.TransitionsSecond = float64(m.transitions-before.transitions) / (m.at - before.at).Seconds()
	}
	return t
}

func milliseconds(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e6 }

// verify checks the aged database against its invariants.
func (s *soak) verify(ctx context.Context) (problems []string, err error) {
	if _, err := steps.Of(s.engine).Sweep(ctx); err != nil {
		return nil, err
	}
	st, err := rooms.Open(s.writing.Pool, "")
	if err != nil {
		return nil, err
	}
	found, err := st.Checks.Verify(ctx, time.Minute+time.Second)
	problems = []string{}
	for _, check := range found.Checks {
		for _, row := range check.Rows {
			problems = append(problems, check.ID+": "+row)
		}
	}
	return problems, err
}

func (r Result) write(path string) error {
	body, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(body, '\n'), 0o644)
}

// table prints one line per tenth, as Markdown.
func (r Result) table(out io.Writer) {
	w := tabwriter.NewWriter(out, 0, 0, 1, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprint(
		w,
		"|tenth\t|sweeps\t|incidents opened\t|p50 ms\t|p99 ms\t|empty p50 ms\t|CPU p99 ms\t|transitions/s\t|GB\t|owed MB\t|\n",
	)
	for i, t := range r.Tenths {
		_, _ = fmt.Fprintf(
			w,
			"|%d\t|%d\t|%d\t|%.2f\t|%.2f\t|%.2f\t|%.2f\t|%.0f\t|%.2f\t|%.1f\t|\n",
			i+1,
			t.Sweeps,
			t.Opened,
			t.P50,
			t.P99,
			t.Empty,
			t.CPU99,
			t.TransitionsSecond,
			float64(t.Bytes)/1e9,
			float64(t.OwedBytes)/1e6,
		)
	}
	_ = w.Flush()
	_, _ = fmt.Fprintf(
		out,
		"\n%d transitions of %d effects in %.0f s; p99 of the sweep in the last tenth is "+
			"%.2f x the first tenth's (server CPU %.2f x), target at most %d x\n",
		r.Transitions,
		r.Effects,
		r.Seconds,
		r.Growth,
		r.GrowthCPU,
		target,
	)
}
