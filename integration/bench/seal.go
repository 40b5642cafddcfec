package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sendpromptly/sendpromptly/integration/bench/report"
	"github.com/sendpromptly/sendpromptly/internal/steps"
)

// measureSealing opens incidents and measures how long it takes to hash their timelines, for a limited time.
func measureSealing(ctx context.Context, b *bench) error {
	pool, e, err := b.engineOn(ctx, "seal", 4)
	if err != nil {
		return err
	}
	defer pool.Close()
	f := &filler{pool: pool}
	n := b.opts.sizes.seal
	if err := f.write(ctx, n, awaiting, overdue(), nil); err != nil {
		return err
	}
	if opened, err := steps.Of(e).Sweep(ctx); err != nil || int64(opened) != n {
		return fmt.Errorf("%d of %d incidents opened: %w", opened, n, err)
	}
	bounded, cancel := context.WithTimeout(ctx, b.opts.sizes.sealFor)
	defer cancel()
	began := time.Now()
	_, err = steps.Of(e).Seal(bounded)
	took := time.Since(began)
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	sealed, err := count(ctx, pool, "SELECT count(*) FROM sendpromptly.seals")
	b.report.Add(
		report.Row{Name: "seal_entries", System: "ours", Value: float64(sealed) / took.Seconds(), Unit: "entries/s, one engine"},
	)
	return err
}
