package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/internal/dbsqlc"
	"github.com/sendpromptly/sendpromptly/internal/input"
	"github.com/sendpromptly/sendpromptly/internal/named"
	"github.com/sendpromptly/sendpromptly/internal/opened"
	"github.com/sendpromptly/sendpromptly/internal/pg"
)

// OutcomeOption adds optional facts to an outcome: [WithReplay], [WithCode].
type OutcomeOption func(*outcome)

type outcome struct {
	replayID string
	code     string
}

// WithReplay says which attempt the outcome belongs to: the ReplayID of a [Repair]. A success
// counts with or without it.
func WithReplay(id string) OutcomeOption { return func(o *outcome) { o.replayID = id } }

// WithCode adds the app's own short error code to a failure. It is cut at 128 characters.
func WithCode(code string) OutcomeOption { return func(o *outcome) { o.code = code } }

func newOutcome(options []OutcomeOption) outcome {
	var o outcome
	for _, option := range options {
		if option != nil {
			option(&o)
		}
	}
	return o
}

// Succeed records, in the caller's transaction, that the effect happened. Call it in the
// transaction that makes the effect: both commit, or neither does. It applies an effect in any
// state and resolves an open incident. It does nothing if the effect is already applied. A key
// without a receipt returns [ErrUnknownEffect].
//
// Succeed locks the effect until the commit, so call it last: while it is locked, a deadline that
// passes opens no incident. Succeed waits for any other uncommitted outcome of the same effect,
// including a running Apply.
func (e *Engine) Succeed(ctx context.Context, tx pgx.Tx, k Key, options ...OutcomeOption) error {
	return named.Error(succeeding(k), e.succeed(ctx, tx, k, options))
}

// succeed is Succeed with the database's error unwrapped, as timelines show it.
func (e *Engine) succeed(ctx context.Context, tx pgx.Tx, k Key, options []OutcomeOption) error {
	if err := validTx(tx); err != nil {
		return err
	}
	if err := k.validate(); err != nil {
		return err
	}
	params := e.succeedParams(k, newOutcome(options))
	row, err := e.queries.EffectSucceed(ctx, tx, params)
	if err != nil || row.State != "unknown" {
		return err
	}
	if !e.cfg.AdoptUnknown {
		return fmt.Errorf("%w: %s", ErrUnknownEffect, k)
	}
	if _, err := e.Accept(ctx, tx, Acceptance{Key: k}); err != nil {
		return err
	}
	_, err = e.queries.EffectSucceed(ctx, tx, params)
	return err
}

func succeeding(k Key) string { return "recording a success of " + k.String() }

// QueueSucceed adds a Succeed to the caller's batch, so it needs no round trip of its own. Reading
// the batch's results returns [ErrUnknownEffect] for a key without a receipt, even with
// [Config.AdoptUnknown]: adopting needs another round trip.
func (e *Engine) QueueSucceed(batch *pgx.Batch, k Key, options ...OutcomeOption) error {
	return e.queueSucceed(batch, k, options, func(err error) error { return named.Error(succeeding(k), err) })
}

// queueSucceed is QueueSucceed with a function that wraps the database's errors. Apply does not
// wrap them, because timelines show them.
func (e *Engine) queueSucceed(batch *pgx.Batch, k Key, options []OutcomeOption, name func(error) error) error {
	if batch == nil {
		return &FieldError{"batch", "is nil"}
	}
	if err := k.validate(); err != nil {
		return err
	}
	e.queries.QueueEffectSucceed(batch, e.succeedParams(k, newOutcome(options)),
		func(row dbsqlc.EffectSucceedRow, err error) error {
			if err != nil {
				return name(err)
			}
			if row.State == "unknown" {
				return fmt.Errorf("%w: %s", ErrUnknownEffect, k)
			}
			return nil
		})
	return nil
}

func (e *Engine) succeedParams(k Key, o outcome) dbsqlc.EffectSucceedParams {
	return dbsqlc.EffectSucceedParams{
		Provider: k.Provider, EventID: k.EventID, Effect: k.Effect,
		ReplayID: pg.Optional(input.Cut(o.replayID, 64)), Project: e.cfg.Project,
	}
}

// failTimeout bounds recording a failure, including the wait for a connection.
const failTimeout = 2 * time.Second

// Fail records that the effect failed, and why. An incident opens, unless the effect is applied.
// Fail uses a short transaction of its own, because the caller's is rolling back. It never waits
// for a lock: if the effect is still locked, for example by the caller's transaction, the failure
// is stored and the next sweep applies it. It takes at most 2 seconds and works even if ctx is
// already cancelled.
//
// cause is cut at 2,000 characters. A key without a receipt returns [ErrUnknownEffect]. Any error means
// that the failure was not recorded; the deadline still opens an incident.
func (e *Engine) Fail(ctx context.Context, k Key, cause error, options ...OutcomeOption) error {
	if err := k.validate(); err != nil {
		return err
	}
	o := newOutcome(options)
	message := "no cause given"
	if cause != nil {
		message = fmt.Sprint(cause) // unlike Error, this survives a nil pointer inside cause
	}
	params := dbsqlc.EffectFailParams{
		Provider: k.Provider,
		EventID:  k.EventID,
		Effect:   k.Effect,
		Project:  e.cfg.Project,
		ErrorCode: pg.Optional(
			input.Cut(o.code, 128),
		),
		ErrorMessage: pg.Optional(input.Cut(message, 2000)),
		ReplayID:     pg.Optional(input.Cut(o.replayID, 64)),
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), failTimeout)
	defer cancel()
	var told string
	err := pgx.BeginTxFunc(ctx, e.pool, pg.ReadCommitted, func(tx pgx.Tx) error {
		row, err := e.queries.EffectFail(ctx, tx, params)
		told = row.Opened
		if err != nil || row.State != "unknown" {
			return err
		}
		if !e.cfg.AdoptUnknown {
			return fmt.Errorf("%w: %s", ErrUnknownEffect, k)
		}
		if _, err := e.Accept(ctx, tx, Acceptance{Key: k}); err != nil {
			return err
		}
		row, err = e.queries.EffectFail(ctx, tx, params)
		told = row.Opened
		return err
	})
	if err == nil {
		incident := opened.Failure(told)
		incident.Say(ctx, e.cfg.Logger)
	}
	return named.Error("recording a failure of "+k.String(), err)
}
