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

// OutcomeOption adds to an outcome what not every app has: [WithReplay], [WithCode].
type OutcomeOption func(*outcome)

type outcome struct {
	replayID string
	code     string
}

// WithReplay says which attempt the outcome belongs to: the replay id of a
// [Repair]. A success counts with or without one.
func WithReplay(id string) OutcomeOption { return func(o *outcome) { o.replayID = id } }

// WithCode adds the app's own short error code to a failure. Cut at 128 bytes.
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

// Succeed records, in the caller's transaction, that the effect happened. Call
// it in the effect's own transaction: both commit or neither does. It settles
// an effect in any state, resolves an open incident, and is a no-op where the
// effect is applied already. A key without a receipt gives [ErrUnknownEffect].
//
// The effect is yours from here to the commit: Succeed last, or a deadline that
// passes meanwhile stays hidden until then. It waits for another uncommitted
// outcome of the same effect, an Apply under way included.
func (e *Engine) Succeed(ctx context.Context, tx pgx.Tx, k Key, options ...OutcomeOption) error {
	return named.Error(succeeding(k), e.succeed(ctx, tx, k, options))
}

// succeed is Succeed with the database's error as it is, which goes on timelines.
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

// QueueSucceed is Succeed as a part of the caller's own batch, which costs no
// round trip of its own. [ErrUnknownEffect] comes out of reading the batch's
// results, also where the engine adopts: that takes a second look.
func (e *Engine) QueueSucceed(batch *pgx.Batch, k Key, options ...OutcomeOption) error {
	return e.queueSucceed(batch, k, options, func(err error) error { return named.Error(succeeding(k), err) })
}

// queueSucceed is QueueSucceed with a name for the database's errors: those of Apply go on timelines as they are.
func (e *Engine) queueSucceed(batch *pgx.Batch, k Key, options []OutcomeOption, name func(error) error) error {
	if batch == nil {
		return &FieldError{"batch", "is nil"}
	}
	if err := k.validate(); err != nil {
		return err
	}
	e.queries.QueueEffectSucceed(batch, e.succeedParams(k, newOutcome(options)), func(row dbsqlc.EffectSucceedRow, err error) error {
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

// failTimeout bounds recording a failure, the wait for a connection included.
const failTimeout = 2 * time.Second

// Fail records that an attempt at the effect failed, and why: an incident opens
// unless the effect is applied. It runs in a short transaction of its own,
// because the caller's is rolling back, and waits for no row: called before the
// rollback, it is stored aside and folded in by the next sweep. It works with
// ctx already cancelled and takes at most 2 seconds.
//
// cause is cut at 2,000 characters. An error means that the failure could not
// be recorded; the deadline will still find the effect.
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
