package flow

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/integration/bench/pg"
)

// The app's own tables, as small as they can be: the smaller the app, the larger our share.
const shopSchema = `
CREATE SCHEMA shop;
CREATE TABLE shop.orders (order_id bigint PRIMARY KEY, customer text NOT NULL, amount bigint NOT NULL,
	created_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE shop.jobs (job_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, kind text NOT NULL, order_id bigint NOT NULL,
  run_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE shop.credits (order_id bigint PRIMARY KEY, account text NOT NULL, credits bigint NOT NULL,
	granted_at timestamptz NOT NULL DEFAULT now());`

const (
	insertOrder   = `INSERT INTO shop.orders (order_id, customer, amount) VALUES ($1, $2, $3)`
	insertJob     = `INSERT INTO shop.jobs (kind, order_id) VALUES ($1, $2)`
	insertCredits = `INSERT INTO shop.credits (order_id, account, credits) VALUES ($1, $2, $3)`
)

func createShop(ctx context.Context, pool *pg.Pool) error {
	_, err := pool.Exec(ctx, shopSchema)
	return err
}

func (f *Flow) customer() string { return "cus_" + word(f.N, 1, 14) }

// writeOrder is the app's part of the first transaction: two statements.
func writeOrder(ctx context.Context, tx pgx.Tx, f *Flow) error {
	if _, err := tx.Exec(ctx, insertOrder, f.N, f.customer(), 4900); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, insertJob, "grant_credits", f.N)
	return err
}

// writeCredits is the app's part of the second transaction: one statement.
func writeCredits(ctx context.Context, tx pgx.Tx, f *Flow) error {
	_, err := tx.Exec(ctx, insertCredits, f.N, f.customer(), 49)
	return err
}

// queueOrder and queueCredits are the same statements in a batch.
func queueOrder(batch *pgx.Batch, f *Flow) {
	batch.Queue(insertOrder, f.N, f.customer(), 4900)
	batch.Queue(insertJob, "grant_credits", f.N)
}

func queueCredits(batch *pgx.Batch, f *Flow) { batch.Queue(insertCredits, f.N, f.customer(), 49) }

// step adds a system's own statements to a transaction of the app.
type step func(ctx context.Context, tx pgx.Tx, f *Flow) error

// plain runs the app's statements one by one, then the step: BEGIN, each statement and COMMIT take one round trip each.
func plain(pool *pg.Pool, app, added step) func(ctx context.Context, f *Flow) error {
	return func(ctx context.Context, f *Flow) error {
		return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
			if err := app(ctx, tx, f); err != nil || added == nil {
				return err
			}
			return added(ctx, tx, f)
		})
	}
}

// batched sends the app's statements, and those that queue adds, as one batch between BEGIN and COMMIT.
func batched(
	pool *pg.Pool,
	app func(*pgx.Batch, *Flow),
	queue func(*pgx.Batch, *Flow) error,
) func(ctx context.Context, f *Flow) error {
	return func(ctx context.Context, f *Flow) error {
		return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
			batch := &pgx.Batch{}
			app(batch, f)
			if queue != nil {
				if err := queue(batch, f); err != nil {
					return err
				}
			}
			return tx.SendBatch(ctx, batch).Close()
		})
	}
}

func buildBare(_ context.Context, pool *pg.Pool) (*System, error) {
	return &System{First: plain(pool, writeOrder, nil), Second: plain(pool, writeCredits, nil)}, nil
}

func buildBareBatched(_ context.Context, pool *pg.Pool) (*System, error) {
	return &System{First: batched(pool, queueOrder, nil), Second: batched(pool, queueCredits, nil)}, nil
}
