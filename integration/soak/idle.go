package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/integration/bench/pg"
)

// idlePool is how many connections the engines of one process share.
const idlePool = 16

// counter counts statements, those that begin and end transactions included.
type counter struct{ statements atomic.Int64 }

// TraceQueryStart implements pgx.QueryTracer.
func (c *counter) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	c.statements.Add(1)
	return ctx
}

// TraceQueryEnd implements pgx.QueryTracer.
func (c *counter) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// idle runs fleets of engines on a database where nothing is due, and reports the load that they cause.
func idle(ctx context.Context, o options, out io.Writer) error {
	server, err := pg.Start(ctx, nil)
	if err != nil {
		return err
	}
	defer server.Close()
	_, _ = fmt.Fprint(out, "| engines | statements/s | transactions/s | server CPU, % of one |\n|--:|--:|--:|--:|\n")
	for _, engines := range o.idle {
		if err := idleFleet(ctx, server, engines, o.during, out); err != nil {
			return err
		}
	}
	return nil
}

// idleFleet measures one size, after every engine has noticed the others.
func idleFleet(ctx context.Context, server *pg.Server, engines int, during time.Duration, out io.Writer) error {
	counting, err := server.NewDatabase(ctx, 1)
	if err != nil {
		return err
	}
	defer counting.Close()
	if err := engine.Migrate(ctx, counting.Pool); err != nil {
		return err
	}
	var c counter
	pool, err := pg.OpenWith(ctx, counting.Config().ConnString(), idlePool, func(cfg *pgxpool.Config) { cfg.ConnConfig.Tracer = &c })
	if err != nil {
		return err
	}
	defer pool.Close()
	fleet := make([]*engine.Engine, engines)
	for i := range fleet {
		if fleet[i], err = engine.New(ctx, pool.Pool, engine.Config{Logger: slog.New(slog.DiscardHandler)}); err != nil {
			return err
		}
	}
	running, stop := context.WithCancel(ctx)
	var group sync.WaitGroup
	defer group.Wait()
	defer stop()
	for _, e := range fleet {
		group.Go(func() { _ = e.Run(running) })
	}
	const settling = 25 * time.Second // two heartbeats, so that each engine knows the number of engines
	if !wait(ctx, settling) {
		return ctx.Err()
	}
	commits := func() (n int64, err error) {
		err = counting.QueryRow(ctx, "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()").
			Scan(&n)
		return n, err
	}
	before, err := commits()
	if err != nil {
		return err
	}
	statements, cpu, began := c.statements.Load(), cpuTime(pool), time.Now()
	if !wait(ctx, during) {
		return ctx.Err()
	}
	seconds := time.Since(began).Seconds()
	statements, cpu = c.statements.Load()-statements, cpuTime(pool)-cpu
	after, err := commits()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "| %d | %.1f | %.1f | %.2f |\n",
		engines, float64(statements)/seconds, float64(after-before)/seconds, cpu.Seconds()/seconds*100)
	return err
}

func cpuTime(pool *pg.Pool) time.Duration {
	used, _ := pool.CPUTime()
	return used
}
