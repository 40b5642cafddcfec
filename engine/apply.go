package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sendpromptly/sendpromptly/internal/dbsqlc"
	"github.com/sendpromptly/sendpromptly/internal/named"
	"github.com/sendpromptly/sendpromptly/internal/pg"
)

// Apply runs effect in a transaction, records the success in the same transaction, and commits. An
// effect that is already applied does not run again; Apply returns nil. If effect fails, Apply
// rolls back, releases its connection, records the failure with [Engine.Fail] and returns effect's
// error unchanged. If recording fails too, the two errors are joined.
//
// Apply records no failure for a serialization failure or a deadlock, which the caller should
// retry, nor for an error wrapped by [WillRetry]. A panic is recorded as a failure and then
// continues. Two workers that apply the same effect run one after the other. If effect hangs, the
// deadline still opens an incident. A key without a receipt returns [ErrUnknownEffect], unless the
// engine adopts it. An effect whose incident an operator closed returns [ErrClosed].
func (e *Engine) Apply(ctx context.Context, k Key, effect func(ctx context.Context, tx pgx.Tx) error,
	options ...OutcomeOption,
) error {
	if err := k.validate(); err != nil {
		return err
	}
	if effect == nil {
		return &FieldError{"effect", "is nil"}
	}
	ran, err := e.applyOnce(ctx, k, effect, options)
	if !ran {
		return named.Error("applying "+k.String(), err)
	}
	if err == nil || repeatable(err) {
		return err
	}
	return errors.Join(err, e.Fail(ctx, k, err, options...))
}

// applyOnce reports whether effect was started, so that an unreachable database is not recorded as
// a failure of the effect.
func (e *Engine) applyOnce(ctx context.Context, k Key, effect func(ctx context.Context, tx pgx.Tx) error,
	options []OutcomeOption,
) (ran bool, err error) {
	defer func() {
		// The transaction has been rolled back by now, so the row is free.
		if p := recover(); p != nil {
			_ = e.Fail(ctx, k, fmt.Errorf("panic: %v", p), options...)
			panic(p)
		}
	}()
	conn, err := e.pool.Acquire(ctx)
	if err != nil {
		return false, err
	}
	defer conn.Release()
	tx, err := conn.BeginTx(ctx, pg.ReadCommitted)
	if err != nil {
		return false, err
	}
	committed := false
	defer func() {
		if !committed {
			_ = tx.Rollback(ctx) // if this fails, the connection is broken and the pool drops it
		}
	}()
	run, err := e.beginApply(ctx, tx, k)
	if err != nil || !run {
		return false, err
	}
	if err := effect(ctx, tx); err != nil {
		return true, err
	}
	err = e.succeedAndCommit(ctx, tx, k, options)
	committed = err == nil
	return true, err
}

// succeedAndCommit sends both in one round trip. If the success cannot be recorded, Postgres skips
// the commit.
func (e *Engine) succeedAndCommit(ctx context.Context, tx pgx.Tx, k Key, options []OutcomeOption) error {
	batch := &pgx.Batch{}
	asItIs := func(err error) error { return err }
	if err := e.queueSucceed(batch, k, options, asItIs); err != nil {
		return err
	}
	batch.Queue("commit")
	return tx.SendBatch(ctx, batch).Close()
}

// beginApply locks the effect's row and reports whether the effect should run.
func (e *Engine) beginApply(ctx context.Context, tx pgx.Tx, k Key) (run bool, err error) {
	params := dbsqlc.EffectBeginApplyParams{Provider: k.Provider, EventID: k.EventID, Effect: k.Effect, Project: e.cfg.Project}
	row, err := e.queries.EffectBeginApply(ctx, tx, params)
	if err != nil {
		return false, err
	}
	switch row.State {
	case "unknown":
		if !e.cfg.AdoptUnknown {
			return false, fmt.Errorf("%w: %s", ErrUnknownEffect, k)
		}
		receipt, err := e.Accept(ctx, tx, Acceptance{Key: k})
		if err == nil && receipt.Duplicate {
			return e.beginApply(ctx, tx, k) // another worker adopted it first
		}
		return err == nil, err
	case "applied":
		return false, nil
	case "closed":
		return false, fmt.Errorf("%w: %s", ErrClosed, k)
	}
	return true, nil
}

// WillRetry marks an error after which the queue retries the job. Apply rolls back and returns the
// error, but records no failure. WillRetry(nil) is nil.
func WillRetry(err error) error {
	if err == nil {
		return nil
	}
	return &retryError{err}
}

type retryError struct{ cause error }

func (r *retryError) Error() string { return r.cause.Error() }
func (r *retryError) Unwrap() error { return r.cause }

// repeatable reports whether the caller is expected to run the effect again.
func repeatable(err error) bool {
	var retry *retryError
	if errors.As(err, &retry) {
		return true
	}
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "40001" || pg.Code == "40P01")
}
