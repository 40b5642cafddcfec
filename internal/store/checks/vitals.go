package checks

import (
	"context"
	"time"

	"github.com/sendpromptly/sendpromptly/internal/dbsqlc"
	"github.com/sendpromptly/sendpromptly/internal/pg"
)

// Vitals are what metrics say of a whole deployment. Counts end at 100,000 + 1.
type Vitals struct {
	// Owed are effects that wait for their outcome, Overdue those of them whose
	// deadline passed, OverdueLocked those that the app holds locked.
	Owed, Overdue, OverdueLocked int
	CallbacksWaiting             int
	// Engines are those seen within the last 30 seconds.
	Engines int
	// Lag is how far the oldest deadline that nobody holds has passed.
	Lag time.Duration
	// Sweep is the longest last pass of a running engine that found work.
	Sweep time.Duration
}

// Vitals reads how the deployment stands, all projects together: what metrics
// are made of.
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

// Counts are what happened, from some moment on.
type Counts struct {
	Opened, Resolved int
	// Callbacks counts tries by their answer: accepted (2xx), refused (3xx, 4xx),
	// failed (5xx), unreachable.
	Callbacks map[string]int
}

// Plus is the sum of two.
func (c Counts) Plus(d Counts) Counts {
	sum := Counts{Opened: c.Opened + d.Opened, Resolved: c.Resolved + d.Resolved, Callbacks: map[string]int{}}
	for _, part := range []Counts{c, d} {
		for outcome, n := range part.Callbacks {
			sum.Callbacks[outcome] += n
		}
	}
	return sum
}

// Tally is what happened since a mark of the change feed.
type Tally struct {
	// Settled happened before Mark and is not counted by the next tally. Pending
	// came after, and will be counted again.
	Settled, Pending Counts
	// Mark is where the next tally begins. An old transaction holds it back.
	Mark string
}

// Tally counts what happened since a mark. Settled sums and the last pending
// ones together hold each change exactly once, however late its transaction
// commits. Since "" it is the mark to begin with.
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
