package flow

import (
	"context"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"

	"github.com/sendpromptly/sendpromptly/integration/bench/pg"
)

const riverSchema = "river"

// checkArgs is the job that would check at the deadline whether the credits were granted.
type checkArgs struct {
	EventID string `json:"event_id"`
	Effect  string `json:"effect"`
}

// Kind implements river.JobArgs.
func (checkArgs) Kind() string { return "check_effect" }

// newRiver makes a client that inserts and never works: no background work of River runs within the measurement.
func newRiver(ctx context.Context, pool *pg.Pool) (*river.Client[pgx.Tx], error) {
	quiet := slog.New(slog.DiscardHandler)
	if _, err := pool.Exec(ctx, "CREATE SCHEMA "+riverSchema); err != nil {
		return nil, err
	}
	driver := riverpgxv5.New(pool.Pool)
	migrator, err := rivermigrate.New(driver, &rivermigrate.Config{Schema: riverSchema, Logger: quiet})
	if err != nil {
		return nil, err
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return nil, err
	}
	return river.NewClient(driver, &river.Config{Schema: riverSchema, Logger: quiet})
}

// schedule inserts a job that is due at the deadline.
func schedule(client *river.Client[pgx.Tx]) step {
	return func(ctx context.Context, tx pgx.Tx, f *Flow) error {
		inserted, err := client.InsertTx(
			ctx,
			tx,
			checkArgs{f.Key.EventID, f.Key.Effect},
			&river.InsertOpts{ScheduledAt: time.Now().Add(Timeout)},
		)
		if err != nil {
			return err
		}
		f.handle = inserted.Job.ID
		return nil
	}
}

func buildRiverCancel(ctx context.Context, pool *pg.Pool) (*System, error) {
	client, err := newRiver(ctx, pool)
	if err != nil {
		return nil, err
	}
	return &System{
		Baseline: Bare, Schema: riverSchema, First: plain(pool, writeOrder, schedule(client)),
		Second: plain(pool, writeCredits, func(ctx context.Context, tx pgx.Tx, f *Flow) error {
			_, err := client.JobCancelTx(ctx, tx, f.handle.(int64))
			return err
		}),
	}, nil
}

func buildRiverDelete(ctx context.Context, pool *pg.Pool) (*System, error) {
	client, err := newRiver(ctx, pool)
	if err != nil {
		return nil, err
	}
	return &System{
		Baseline: Bare, Schema: riverSchema, First: plain(pool, writeOrder, schedule(client)),
		Second: plain(pool, writeCredits, func(ctx context.Context, tx pgx.Tx, f *Flow) error {
			_, err := client.JobDeleteTx(ctx, tx, f.handle.(int64))
			return err
		}),
	}, nil
}
