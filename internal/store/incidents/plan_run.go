package incidents

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/actions"
	"github.com/sendpromptly/sendpromptly/internal/dbsqlc"
	"github.com/sendpromptly/sendpromptly/internal/pg"
)

// inFlight is the most callbacks of a project that plans queue. Four are sent at once; the others
// are next.
const inFlight = 16

// planBatch is the most incidents of one step of Run.
const planBatch = 200

// Run makes one step of all running plans. It acts on at most 200 incidents, each in a transaction
// of its own, and queues at most 16 callbacks per project. more is true if it stopped at 200. Any
// number of processes may run it.
func (ps *Plans) Run(ctx context.Context) (more bool, err error) {
	for range planBatch {
		var taken bool
		err := ps.db.InTx(ctx, func(tx pgx.Tx) (err error) {
			taken, err = ps.runItem(ctx, tx)
			return err
		})
		if err != nil || !taken {
			return false, err
		}
	}
	return true, nil
}

// runItem acts on the next incident. taken is false if no plan can continue now.
func (ps *Plans) runItem(ctx context.Context, tx pgx.Tx) (taken bool, err error) {
	item, err := ps.db.Queries.PlanItemClaim(ctx, tx, inFlight)
	if err != nil || item.Project == "" {
		return false, err
	}
	var done actions.Result
	err = pgx.BeginFunc(ctx, tx, func(savepoint pgx.Tx) (err error) {
		done, err = actions.Do(ctx, savepoint, item.Project, actions.Request{
			Action:   item.Action,
			Incident: item.IncidentID,
			By:       item.Operator,
			Note:     item.Note,
			Revision: &item.Revision,
		})
		return err
	})
	outcome := planOutcome(item.Action, err)
	if outcome == "" {
		return false, err
	}
	finish := dbsqlc.PlanItemFinishParams{
		ProjectID:  item.ProjectID,
		PlanID:     item.PlanID,
		IncidentID: item.IncidentID,
		Outcome:    outcome,
		ReplayID:   pg.Optional(done.ReplayID),
	}
	if outcome == "error" {
		finish.Error = pg.Optional(faultText(err))
	}
	return true, ps.db.Queries.PlanItemFinish(ctx, tx, finish)
}

// planOutcome returns the result of an item's action: "error" if the item itself causes the error,
// so that it does not block the others, and "" for any other error.
func planOutcome(action string, err error) string {
	var (
		refused *actions.RefusedError
		invalid *actions.InvalidError
	)
	switch {
	case err == nil && action == actions.Reprocess:
		return "requested"
	case err == nil:
		return "closed"
	case errors.As(err, &refused) && refused.Changed:
		return "changed"
	case errors.As(err, &refused), errors.Is(err, engine.ErrNotFound):
		return "refused"
	case pg.RowsFault(err), errors.As(err, &invalid):
		return "error"
	}
	return ""
}

// faultText returns Postgres's own message, if the error is from Postgres.
func faultText(err error) string {
	var refused *pgconn.PgError
	if errors.As(err, &refused) {
		return refused.Message
	}
	return err.Error()
}
