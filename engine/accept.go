package engine

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/internal/dbsqlc"
	"github.com/sendpromptly/sendpromptly/internal/named"
	"github.com/sendpromptly/sendpromptly/internal/pg"
)

// Receipt is the result of [Engine.Accept].
type Receipt struct {
	// EffectID is the effect's id. Every receipt of the same key has the same one.
	EffectID EffectID
	// Deadline is the time by which an outcome must arrive.
	Deadline time.Time
	// Duplicate is true if the key was accepted before. Nothing changed, and the job already
	// exists: do not enqueue another.
	Duplicate bool
	// State is the effect's current state. For a new receipt it is [StateAwaiting].
	State State
}

// Accept records, in the caller's transaction, that an effect is owed. Call it in the transaction
// that enqueues the job: both commit, or neither does.
//
// If the key was accepted before, the receipt has Duplicate set and the deadline does not move.
// Accept waits only for another uncommitted Accept of the same key and, for an effect that was
// settled more than a month ago, for another uncommitted signal of that effect. Keep transactions
// that accept short. Invalid input returns a [*FieldError] before anything is sent to Postgres; the
// transaction stays usable.
//
// A duplicate with a different subject, merchant or amount is recorded on the timeline as a
// mismatch and logged. So is a duplicate for a closed effect.
func (e *Engine) Accept(ctx context.Context, tx pgx.Tx, a Acceptance) (Receipt, error) {
	if err := validTx(tx); err != nil {
		return Receipt{}, err
	}
	params, err := e.acceptParams(a)
	if err != nil {
		return Receipt{}, err
	}
	row, err := e.queries.EffectAccept(ctx, tx, params)
	if err != nil {
		return Receipt{}, named.Error("accepting "+a.Key.String(), err)
	}
	receipt, again := newReceipt(row.EffectID, row.Deadline, row.Duplicate, row.Met)
	e.sayMismatches(ctx, mismatch{a.Key, receipt.EffectID, again})
	return receipt, nil
}

// newReceipt converts the row that accept returned. met is the state; for a mismatch a colon and
// the reason follow.
func newReceipt(id string, deadline time.Time, duplicate bool, met string) (r Receipt, mismatch string) {
	state, mismatch, _ := strings.Cut(met, ": ")
	return Receipt{EffectID: EffectID(id), Deadline: deadline, Duplicate: duplicate, State: State(state)}, mismatch
}

// QueueAccept adds an Accept to the caller's batch, so it needs no round trip of its own. done, if
// not nil, is called with the receipt while the batch's results are read. An error from done stops
// the reading and is returned by it.
func (e *Engine) QueueAccept(batch *pgx.Batch, a Acceptance, done func(Receipt) error) error {
	if batch == nil {
		return &FieldError{"batch", "is nil"}
	}
	params, err := e.acceptParams(a)
	if err != nil {
		return err
	}
	e.queries.QueueEffectAccept(batch, params, func(row dbsqlc.EffectAcceptRow, err error) error {
		if err != nil {
			return named.Error("accepting "+a.Key.String(), err)
		}
		r, again := newReceipt(row.EffectID, row.Deadline, row.Duplicate, row.Met)
		e.sayMismatches(context.Background(), mismatch{a.Key, r.EffectID, again})
		if done == nil {
			return nil
		}
		return done(r)
	})
	return nil
}

// AcceptMany accepts a list in one round trip and returns the receipts in the order of the list.
// Keys are locked in sorted order, so two lists never deadlock. For imports, use lists of about
// 1,000. One invalid member refuses the whole list before anything is sent; the [*FieldError] names
// its position.
func (e *Engine) AcceptMany(ctx context.Context, tx pgx.Tx, list []Acceptance) ([]Receipt, error) {
	if err := validTx(tx); err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, nil
	}
	members := make([]receiptMember, len(list))
	for i, a := range list {
		params, err := e.acceptParams(a)
		if err != nil {
			return nil, inList(i, err)
		}
		members[i] = newReceiptMember(params)
	}
	body, err := json.Marshal(members)
	if err != nil {
		return nil, named.Error("accepting a list", err)
	}
	rows, err := e.queries.EffectAcceptMany(ctx, tx,
		dbsqlc.EffectAcceptManyParams{Receipts: string(body), Project: e.cfg.Project})
	if err != nil {
		return nil, named.Error("accepting a list", err)
	}
	receipts, again := make([]Receipt, len(rows)), make([]mismatch, len(rows))
	for i, row := range rows {
		again[i].key = list[i].Key
		receipts[i], again[i].why = newReceipt(row.EffectID, row.Deadline, row.Duplicate, row.Met)
		again[i].effect = receipts[i].EffectID
	}
	e.sayMismatches(ctx, again...)
	return receipts, nil
}

// acceptParams validates a first: an error from Postgres would abort the caller's transaction.
func (e *Engine) acceptParams(a Acceptance) (dbsqlc.EffectAcceptParams, error) {
	var none dbsqlc.EffectAcceptParams
	if err := a.validate(); err != nil {
		return none, err
	}
	if mode := pg.Value(e.project.Load().Mode); mode != "" && a.Mode != "" && a.Mode != mode {
		return none, &FieldError{"Mode", "differs from the project's mode: send test events to a test project and live events to " +
			"a live one"}
	}
	params := dbsqlc.EffectAcceptParams{
		Provider:    a.Provider,
		EventID:     a.EventID,
		Effect:      a.Effect,
		Project:     e.cfg.Project,
		EventType:   pg.Optional(a.EventType),
		Subject:     pg.Optional(a.Subject),
		Merchant:    pg.Optional(a.Merchant),
		SourceEvent: pg.Optional(a.SourceEvent),
		Customer:    pg.Optional(a.Customer),
		Version:     pg.Optional(a.Version),
		Objects:     a.Objects,
	}
	if !a.OccurredAt.IsZero() {
		at := a.OccurredAt.UTC()
		params.OccurredAt = &at
	}
	if a.Timeout != 0 {
		params.Timeout = pg.Optional(pg.Interval(a.Timeout))
	}
	if a.Amount.Known() {
		params.Amount = &a.Amount.Minor
		params.Currency = pg.Optional(strings.ToUpper(a.Amount.Currency))
	}
	if len(a.Payload) > 0 && e.box != nil && e.project.Load().Snapshots {
		params.Snapshot = e.box.Seal(a.Payload, snapshotOwner(e.cfg.Project, a.Key))
	}
	return params, nil
}

// snapshotOwner binds a snapshot to its key, so that it cannot be decrypted as another effect's.
func snapshotOwner(project string, k Key) string {
	return strings.Join([]string{"snapshot", project, k.Provider, k.EventID, k.Effect}, "\x00")
}

// receiptMember is one member of the list that accept_many takes: the arguments of accept.
type receiptMember struct {
	Provider    string     `json:"provider"`
	EventID     string     `json:"event_id"`
	Effect      string     `json:"effect"`
	EventType   *string    `json:"event_type,omitempty"`
	Subject     *string    `json:"subject,omitempty"`
	OccurredAt  *time.Time `json:"occurred_at,omitempty"`
	Timeout     *string    `json:"timeout,omitempty"`
	Amount      *int64     `json:"amount,omitempty"`
	Currency    *string    `json:"currency,omitempty"`
	Customer    *string    `json:"customer,omitempty"`
	Version     *string    `json:"version,omitempty"`
	Merchant    *string    `json:"merchant,omitempty"`
	Objects     []string   `json:"objects,omitempty"`
	Snapshot    string     `json:"snapshot,omitempty"`
	SourceEvent *string    `json:"source_event,omitempty"`
}

func newReceiptMember(p dbsqlc.EffectAcceptParams) receiptMember {
	m := receiptMember{
		Provider: p.Provider, EventID: p.EventID, Effect: p.Effect, EventType: p.EventType, Subject: p.Subject,
		OccurredAt: p.OccurredAt, Timeout: p.Timeout, Amount: p.Amount, Currency: p.Currency, Customer: p.Customer,
		Version: p.Version, Merchant: p.Merchant, Objects: p.Objects, SourceEvent: p.SourceEvent,
	}
	if p.Snapshot != nil {
		m.Snapshot = `\x` + hex.EncodeToString(p.Snapshot)
	}
	return m
}

// inList adds the position in the list to a field's error.
func inList(i int, err error) error {
	var field *FieldError
	if errors.As(err, &field) {
		return &FieldError{fmt.Sprintf("list[%d].%s", i, field.Field), field.Reason}
	}
	return err
}
