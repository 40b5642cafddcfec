package engine

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/internal/dbsqlc"
	"github.com/sendpromptly/sendpromptly/internal/named"
	"github.com/sendpromptly/sendpromptly/internal/pg"
)

// sweepNow is one pass over everything that is due. It applies failures that were stored because
// their effect was locked, ends attempts whose due time has passed, and opens an incident for each
// first deadline that has passed. It returns how many incidents deadlines opened. Any number of
// engines may sweep at once; each incident opens exactly once.
//
// An overdue effect that an earlier complete pass of this engine could not see, because its receipt
// committed late or its worker had locked it, is postponed once by min(timeout, 60 s) before its
// incident opens.
func (e *Engine) sweepNow(ctx context.Context) (opened int, err error) {
	e.sweeping.Lock()
	defer e.sweeping.Unlock()
	since := e.frontier.since(time.Now()) //nolint:forbidigo // how long ago the last whole look was
	work, err := e.queries.WorkWaiting(ctx, e.pool, since)
	if err != nil {
		return 0, named.Error("checking for work", err)
	}
	return e.sweep(ctx, since, work)
}

// sweep does the work that was found after since. The caller has held the lock since before it
// checked for work.
func (e *Engine) sweep(ctx context.Context, since *time.Time, work dbsqlc.WorkWaitingRow) (opened int, err error) {
	began := time.Now() //nolint:forbidigo // how long a pass took
	e.frontier.looked(began, since, work.Entries)
	var moved swept
	defer func() {
		e.took = time.Since(began)
		moved.say(ctx, e.cfg.Logger)
	}()
	// A failing step must not block the others.
	var broken error
	if work.Failures {
		_, err := e.untilTaken(ctx, sweepBatch, func(ctx context.Context, tx pgx.Tx, batch int, apart bool) (int, error) {
			row, err := e.queries.FailuresFold(ctx, tx, dbsqlc.FailuresFoldParams{Batch: batch, Apart: apart})
			moved.folded += row.Folded
			moved.opened.Failed += row.Opened
			moved.opened.Hear(row.Told)
			return row.Taken, err
		})
		broken = errors.Join(broken, named.Error("recording stored failures", err))
	}
	if work.Attempts {
		expired, err := e.untilTaken(ctx, sweepBatch, e.expireAttempts)
		moved.expired = expired
		broken = errors.Join(broken, named.Error("ending attempts", err))
	}
	if !work.Deadlines {
		e.lastPass, e.locked = work.Started, 0
		e.frontier.passed(work.Started)
		return 0, broken
	}
	err = e.openOverdue(ctx, since, &moved)
	return moved.opened.Missing, errors.Join(broken, err)
}

func (e *Engine) expireAttempts(ctx context.Context, tx pgx.Tx, batch int, apart bool) (int, error) {
	return e.queries.AttemptsExpire(ctx, tx, dbsqlc.AttemptsExpireParams{Batch: batch, Apart: apart})
}

// openOverdue opens incidents in batches until one is not full, and stores when the pass started.
// Each batch begins where the previous one ended.
func (e *Engine) openOverdue(ctx context.Context, since *time.Time, moved *swept) (err error) {
	var started time.Time
	for from := since; ; {
		row, err := e.openBatch(ctx, from, moved)
		if err != nil {
			return named.Error("opening incidents", err)
		}
		if started.IsZero() {
			started = row.Started
		}
		if row.Taken >= sweepBatch {
			from = &row.Reached
			continue
		}
		e.lastPass = started
		e.locked, err = e.queries.OverdueLockedCount(ctx, e.pool, dbsqlc.OverdueLockedCountParams{Started: started, Since: since})
		if err == nil && e.locked == 0 {
			e.frontier.passed(started)
		}
		return named.Error("counting locked deadlines", err)
	}
}

// openBatch opens one batch. If a row makes it fail, the batch is halved until that row is alone;
// the row is retried in an hour. So a failing row delays the others by at most this one pass.
func (e *Engine) openBatch(ctx context.Context, since *time.Time, moved *swept) (dbsqlc.OverdueOpenRow, error) {
	total := dbsqlc.OverdueOpenRow{}
	for size := sweepBatch; total.Taken < sweepBatch; {
		row, err := e.openSize(ctx, since, min(size, sweepBatch-total.Taken))
		switch {
		case err == nil:
			if total.Started.IsZero() {
				total.Started = row.Started
			}
			total.Taken += row.Taken
			moved.opened.Missing += row.Opened
			moved.opened.Hear(row.Told)
			total.Reached = row.Reached
			if row.Taken < size {
				return total, nil
			}
		case !pg.RowsFault(err):
			return total, err
		case size > 1:
			size /= 2
		default:
			problem, err := pg.InTx(ctx, e.pool, func(tx pgx.Tx) (string, error) { return e.queries.OverdueSetAside(ctx, tx) })
			if err != nil {
				return total, err
			}
			if problem != "" {
				e.cfg.Logger.ErrorContext(ctx, saysSetAside, "error", problem)
			}
			total.Taken++
			size = sweepBatch
		}
	}
	return total, nil
}

// openSize opens up to size incidents in one short transaction.
func (e *Engine) openSize(ctx context.Context, since *time.Time, size int) (dbsqlc.OverdueOpenRow, error) {
	params := dbsqlc.OverdueOpenParams{Batch: size, Since: since}
	if !e.lastPass.IsZero() {
		params.LastPass = &e.lastPass
	}
	return pg.InTx(ctx, e.pool, func(tx pgx.Tx) (dbsqlc.OverdueOpenRow, error) { return e.queries.OverdueOpen(ctx, tx, params) })
}
