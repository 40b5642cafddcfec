package checks

import (
	"context"
	"time"

	"github.com/sendpromptly/sendpromptly/internal/dbsqlc"
	"github.com/sendpromptly/sendpromptly/internal/pg"
)

// Vitals are the metrics of a whole deployment. Counts stop at 100,001.
type Vitals struct {
	// Owed counts effects that wait for an outcome, Overdue those whose deadline has passed, and
	// OverdueLocked those that the app has locked.
	Owed, Overdue, OverdueLocked int
	CallbacksWaiting             int
	// Engines counts engines seen within the last 30 seconds.
	Engines int
	// Lag is how long ago the oldest unlocked deadline passed.
	Lag time.Duration
	// Sweep is the longest last pass of a running engine that found work.
	Sweep time.Duration
}

// Vitals returns the metrics of the deployment, over all projects.
func (c *Checks) Vitals(ctx context.Context) (Vitals, error) {
	row, err := c.db.Queries.VitalsGet(ctx, c.db.Pool)
	if err != nil {
		return Vitals{}, err
	}
	return Vitals{
		Owed: row.Owed, Overdue: row.Overdue, OverdueLocked: row.OverdueLocked, CallbacksWaiting: row.CallbacksWaiting,
		Engines: row.Engines, Lag: pg.FromSeconds(row.LagSeconds), Sweep: pg.FromSeconds(row.SweepSeconds),
	}, nil
}

// Counts count what happened since some time.
type Counts struct {
	Opened, Resolved int
	// Callbacks counts tries by their answer: accepted (2xx), refused (3xx, 4xx),
	// failed (5xx), unreachable.
	Callbacks map[string]int
}

// Plus returns the sum of two Counts.
func (c Counts) Plus(d Counts) Counts {
	sum := Counts{Opened: c.Opened + d.Opened, Resolved: c.Resolved + d.Resolved, Callbacks: map[string]int{}}
	for _, part := range []Counts{c, d} {
		for outcome, n := range part.Callbacks {
			sum.Callbacks[outcome] += n
		}
	}
	return sum
}

// Tally counts what happened since a mark of the change feed.
type Tally struct {
	// Settled is before Mark; the next tally does not count it again. Pending is after Mark; the
	// next tally counts it again.
	Settled, Pending Counts
	// Mark is where the next tally begins. It cannot pass a running transaction.
	Mark string
}

// Tally counts what happened since a mark. All Settled counts and the last Pending counts together
// include each change exactly once, however late its transaction commits. For "" it only returns
// the first mark.
func (c *Checks) Tally(ctx context.Context, since string) (Tally, error) {
	mark, err := c.db.Queries.ChangesMark(ctx, c.db.Pool)
	t := Tally{Mark: mark, Settled: Counts{Callbacks: map[string]int{}}, Pending: Counts{Callbacks: map[string]int{}}}
	if err != nil || since == "" {
		return t, err
	}
	rows, err := c.db.Queries.ChangesTally(ctx, c.db.Pool, dbsqlc.ChangesTallyParams{Since: since, Until: mark})
	for _, row := range rows {
		to := &t.Pending
		if row.Settled {
			to = &t.Settled
		}
		switch row.What {
		case "opened":
			to.Opened += row.Changes
		case "applied":
			to.Resolved += row.Changes
		default:
			to.Callbacks[row.Outcome] += row.Changes
		}
	}
	return t, err
}
