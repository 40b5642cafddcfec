package main

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sendpromptly/sendpromptly/integration/bench/report"
	"github.com/sendpromptly/sendpromptly/internal/store/rooms"
)

// grace is how late a running engine may be.
const grace = 2 * time.Second

// verifyAll checks the invariants of every database that the engine worked on, and that every flow left its rows.
func verifyAll(ctx context.Context, b *bench) error {
	for i, o := range b.owned {
		if err := b.verify(ctx, o); err != nil {
			return fmt.Errorf("%s: %w", o.name, err)
		}
		b.progress.Done(float64(i+1) / float64(len(b.owned)))
	}
	return nil
}

func (b *bench) verify(ctx context.Context, o owned) error {
	cfg, err := pgxpool.ParseConfig(o.url)
	if err != nil {
		return err
	}
	cfg.ConnConfig.RuntimeParams["work_mem"] = "512MB"
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return err
	}
	defer pool.Close()
	s, err := rooms.Open(pool, "")
	if err != nil {
		return err
	}
	found, err := s.Checks.Verify(ctx, grace)
	if err != nil {
		return err
	}
	problems := 0
	for _, check := range found.Checks {
		problems += len(check.Rows)
		for _, row := range check.Rows {
			b.progress.Note("%s: invariant %s is violated: %s", o.name, check.ID, row)
		}
	}
	b.report.Add(
		report.Row{
			Name:   "verify_problems",
			System: o.name,
			Value:  float64(problems),
			Unit:   "problems",
			Target: report.AtMost(0),
			Exact:  true,
		},
	)
	if o.flows < 0 {
		return nil
	}
	lost, err := lostFlows(ctx, pool, o.flows)
	b.report.Add(
		report.Row{
			Name:   "flows_lost",
			System: o.name,
			Value:  float64(lost),
			Unit:   fmt.Sprintf("of %d flows", o.flows),
			Target: report.AtMost(0),
			Exact:  true,
		},
	)
	return err
}

// lostFlows counts the missing and the surplus rows of finished flows.
func lostFlows(ctx context.Context, pool *pgxpool.Pool, flows int64) (lost int64, err error) {
	err = pool.QueryRow(ctx, `SELECT abs($1 - (SELECT count(*) FROM shop.orders)) + abs($1 - (SELECT count(*) FROM shop.jobs))
		+ abs($1 - (SELECT count(*) FROM shop.credits)) + abs($1 - (SELECT count(*) FROM sendpromptly.receipts))
		+ abs($1 - (SELECT count(*) FROM sendpromptly.receipts WHERE succeeded_at IS NOT NULL))
		+ (SELECT count(*) FROM sendpromptly.owed)
		+ (SELECT count(*) FROM sendpromptly.incidents)`, flows).Scan(&lost)
	return lost, err
}
