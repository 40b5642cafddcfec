package main

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/integration/bench/flow"
	"github.com/sendpromptly/sendpromptly/integration/bench/pg"
	"github.com/sendpromptly/sendpromptly/integration/bench/report"
)

// copyTable makes a table with the columns, indexes and storage of the receipts' table. In the receipts' table itself,
// the rows of COPY would be effects that nobody owes.
const copyTable = `
CREATE TABLE copied (LIKE sendpromptly.effects INCLUDING ALL);
DO $$ BEGIN
  EXECUTE (SELECT format('ALTER TABLE copied SET (%s)', array_to_string(reloptions, ', ')) FROM pg_class
    WHERE oid = 'sendpromptly.effects'::regclass);
END $$`

// bulk imports receipts and copies the same rows again.
type bulk struct {
	pool *pg.Pool
	e    *engine.Engine
	next int64
	// rows are the imported rows that were not copied yet: one batch each, in COPY's binary format.
	rows [][]byte
}

// measureBulk imports receipts with AcceptMany and copies as many rows into a table of the same shape, in turns. Both
// commit after every batch of 1,000.
func measureBulk(ctx context.Context, b *bench) error {
	pool, e, err := b.engineOn(ctx, "bulk", 1)
	if err != nil {
		return err
	}
	defer pool.Close()
	if _, err := pool.Exec(ctx, copyTable); err != nil {
		return err
	}
	im := &bulk{pool: pool, e: e}
	if _, err := im.accept(ctx, b.opts.sizes.bulkBatches); err != nil { // a round may begin with a copy
		return err
	}
	ways := []func(context.Context, int) (time.Duration, error){im.accept, im.copy}
	figures := []map[int]float64{{}, {}}
	size := float64(b.opts.sizes.bulkBatches * bulkBatch)
	for round := range b.opts.sizes.bulkSlices + 2 { // the first two warm up
		for _, way := range report.Order(len(ways), round) {
			took, err := ways[way](ctx, b.opts.sizes.bulkBatches)
			if err != nil {
				return err
			}
			if round >= 2 {
				figures[way][round] = size / took.Seconds()
			}
		}
		b.progress.Done(float64(round) / float64(b.opts.sizes.bulkSlices))
	}
	b.report.AddSeries(
		report.Row{Name: "bulk_receipts", System: "ours", Unit: "receipts/s", Target: report.AtLeast(60_000)},
		values(figures[0]),
	)
	b.report.AddSeries(report.Row{Name: "bulk_copy", System: "copy", Unit: "rows/s"}, values(figures[1]))
	b.report.AddSeries(report.Row{Name: "bulk_of_copy", System: "ours", Unit: "x copy", Target: report.AtLeast(0.5)},
		report.Pair(figures[0], figures[1], report.Of))
	return nil
}

// accept imports batches of new receipts and then, outside the measured time, keeps the rows that it wrote.
func (im *bulk) accept(ctx context.Context, batches int) (took time.Duration, err error) {
	lists := make([][]engine.Acceptance, batches)
	for i := range lists {
		for range bulkBatch {
			im.next++
			lists[i] = append(lists[i], flow.New(im.next).Acceptance())
		}
	}
	written := make([][]engine.Receipt, batches)
	began := time.Now()
	for i, list := range lists {
		err := pgx.BeginFunc(ctx, im.pool, func(tx pgx.Tx) error {
			written[i], err = im.e.AcceptMany(ctx, tx, list)
			return err
		})
		if err != nil {
			return 0, err
		}
	}
	took = time.Since(began)
	for _, receipts := range written {
		rows, err := im.read(ctx, receipts)
		if err != nil {
			return 0, err
		}
		im.rows = append(im.rows, rows)
	}
	return took, nil
}

// read returns the rows of some receipts.
func (im *bulk) read(ctx context.Context, receipts []engine.Receipt) ([]byte, error) {
	ids := make([]string, len(receipts))
	for i, r := range receipts {
		ids[i] = string(r.EffectID)
	}
	var rows bytes.Buffer
	err := im.pool.AcquireFunc(ctx, func(conn *pgxpool.Conn) error {
		_, err := conn.Conn().PgConn().CopyTo(ctx, &rows, fmt.Sprintf(
			"COPY (SELECT * FROM sendpromptly.effects WHERE effect_id = ANY ('{%s}') ORDER BY event_id) TO STDOUT (FORMAT binary)",
			strings.Join(ids, ","),
		))
		return err
	})
	return rows.Bytes(), err
}

// copy writes the rows of the oldest import that was not copied yet.
func (im *bulk) copy(ctx context.Context, batches int) (took time.Duration, err error) {
	rows := im.rows[:batches]
	im.rows = im.rows[batches:]
	began := time.Now()
	err = im.pool.AcquireFunc(ctx, func(conn *pgxpool.Conn) error {
		for _, batch := range rows {
			if _, err := conn.Conn().PgConn().CopyFrom(ctx, bytes.NewReader(batch), "COPY copied FROM STDIN (FORMAT binary)"); err != nil {
				return err
			}
		}
		return nil
	})
	return time.Since(began), err
}
