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

// Apply does all of it: it runs effect in a transaction with Apply's ctx, records the success in
// the same one, and commits. An effect that is applied already is skipped
// without running. Where effect fails, Apply rolls back, gives its connection
// back, records the failure with [Engine.Fail] and returns the cause as it is,
// joined with the recording's own error if there was one.
//
// No failure is recorded for a serialization failure or a deadlock, which the
// caller repeats, nor for an error wrapped by [WillRetry]. A panic is recorded and
// goes on. Two workers that apply the same effect run one after the other. A
// hung effect is still found by its deadline. An effect whose incident an
// operator closed gives [ErrClosed].
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

// applyOnce reports whether effect was started, so that a database that cannot
// be reached is not taken for a failure of the effect.
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
			_ = tx.Rollback(ctx) // what it says, the broken connection says again
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

// succeedAndCommit sends both at once, which spares a round trip: where the
// success cannot be recorded, Postgres skips the commit.
func (e *Engine) succeedAndCommit(ctx context.Context, tx pgx.Tx, k Key, options []OutcomeOption) error {
	batch := &pgx.Batch{}
	asItIs := func(err error) error { return err }
	if err := e.queueSucceed(batch, k, options, asItIs); err != nil {
		return err
	}
	batch.Queue("commit")
	return tx.SendBatch(ctx, batch).Close()
}

// beginApply takes the effects row and says whether there is anything to do.
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
			return e.beginApply(ctx, tx, k) // another worker adopted it meanwhile
		}
		return err == nil, err
	case "applied":
		return false, nil
	case "closed":
		return false, fmt.Errorf("%w: %s", ErrClosed, k)
	}
	return true, nil
}

// WillRetry marks an error after which the queue will try the same job again:
// Apply rolls back and returns it, and records no failure yet.
func WillRetry(err error) error {
	if err == nil {
		return nil
	}
	return &retryError{err}
}

type retryError struct{ cause error }

func (r *retryError) Error() string { return r.cause.Error() }
func (r *retryError) Unwrap() error { return r.cause }

// repeatable says whether the caller will run the effect again by itself.
func repeatable(err error) bool {
	var retry *retryError
	if errors.As(err, &retry) {
		return true
	}
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "40001" || pg.Code == "40P01")
}
