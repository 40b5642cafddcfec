package flow

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/dbos-inc/dbos-transact-golang/dbos"
	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/integration/bench/pg"
)

const (
	dbosSchema = "dbos"
	dbosTopic  = "outcome"
	dbosStop   = 10 * time.Second
)

// waitForOutcome is the workflow of a flow: it waits for the outcome and would open an incident at the deadline.
func waitForOutcome(ctx dbos.Context, _ string) (string, error) {
	return dbos.Recv[string](ctx, dbosTopic, Timeout)
}

// dbosFlows are the workflows that received their outcome and have not ended yet.
type dbosFlows struct {
	mu   sync.Mutex
	told []dbos.WorkflowHandle[string]
}

func (d *dbosFlows) add(handle dbos.WorkflowHandle[string]) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.told = append(d.told, handle)
}

// settle waits for them to end, which is part of the cost of the flow.
func (d *dbosFlows) settle(context.Context) error {
	d.mu.Lock()
	told := d.told
	d.told = nil
	d.mu.Unlock()
	for _, handle := range told {
		if _, err := handle.GetResult(); err != nil {
			return err
		}
	}
	return nil
}

// buildDBOS starts a workflow for each flow after the first transaction, because DBOS starts none within an app's
// transaction; the outcome is sent in the second one.
func buildDBOS(ctx context.Context, pool *pg.Pool) (*System, error) {
	dctx, err := dbos.NewContext(ctx, dbos.Config{
		AppName: "bench", SystemDBPool: pool.Pool, DatabaseSchema: dbosSchema,
		Logger: slog.New(slog.DiscardHandler), ApplicationVersion: "bench",
	})
	if err != nil {
		return nil, err
	}
	dbos.RegisterWorkflow(dctx, waitForOutcome)
	if err := dbos.Launch(dctx); err != nil {
		return nil, err
	}
	flows := &dbosFlows{}
	order := plain(pool, writeOrder, nil)
	second := plain(pool, writeCredits, func(_ context.Context, tx pgx.Tx, f *Flow) error {
		return dbos.Send(dctx, f.Key.EventID, "success", dbosTopic, dbos.WithSendTransaction(tx))
	})
	return &System{
		Baseline: Bare, Schema: dbosSchema, Settle: flows.settle,
		First: func(ctx context.Context, f *Flow) error {
			if err := order(ctx, f); err != nil {
				return err
			}
			handle, err := dbos.RunWorkflow(dctx, waitForOutcome, f.Key.Effect, dbos.WithWorkflowID(f.Key.EventID))
			f.handle = handle
			return err
		},
		Second: func(ctx context.Context, f *Flow) error {
			if err := second(ctx, f); err != nil {
				return err
			}
			flows.add(f.handle.(dbos.WorkflowHandle[string]))
			return nil
		},
		Stop: func() { _ = dbos.Shutdown(dctx, dbosStop) }, // the run is over; waiting workflows end with their database
	}, nil
}
