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

// Receipt is the answer to an acceptance.
type Receipt struct {
	// EffectID is the effect's own id, the same for every receipt of its key.
	EffectID EffectID
	// Deadline is when an outcome is owed by.
	Deadline time.Time
	// Duplicate says that the key was accepted before: nothing changed, and the
	// job exists already.
	Duplicate bool
	// State is what the effect is in: awaiting, unless it is a duplicate of one
	// that got further.
	State State
}

// Accept records, in the caller's transaction, that an effect is owed. Call it
// where the job is enqueued: both commit or neither does.
//
// A key that was accepted before comes back with Duplicate set and restarts no
// clock. Accept waits only for another uncommitted Accept of the same key (and,
// a month after the effect was settled, for another signal of it), so keep
// transactions that accept short. Wrong input gives a [*FieldError]
// before anything is sent; the transaction stays usable.
//
// A duplicate that names another subject, merchant or amount, and one of an
// effect that is closed, is entered as a mismatch on the timeline and logged.
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

// newReceipt reads what accept answered. met is the state and, for a duplicate that is a mismatch, why, after a colon.
func newReceipt(id string, deadline time.Time, duplicate bool, met string) (r Receipt, mismatch string) {
	state, mismatch, _ := strings.Cut(met, ": ")
	return Receipt{EffectID: EffectID(id), Deadline: deadline, Duplicate: duplicate, State: State(state)}, mismatch
}

// QueueAccept is Accept as a part of the caller's own batch, which costs no
// round trip of its own. done is called with the receipt while the batch's
// results are read; an error it returns ends that reading.
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

// AcceptMany is Accept for a list, in one round trip, and answers in its order.
// Keys are taken in sorted order, so that two lists never deadlock. For imports
// use lists of about 1,000. A wrong member refuses the whole list before
// anything is sent; the [*FieldError] names its position.
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
	rows, err := e.queries.EffectAcceptMany(ctx, tx, dbsqlc.EffectAcceptManyParams{Receipts: string(body), Project: e.cfg.Project})
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

// acceptParams validates everything that Postgres would refuse.
func (e *Engine) acceptParams(a Acceptance) (dbsqlc.EffectAcceptParams, error) {
	var none dbsqlc.EffectAcceptParams
	if err := a.validate(); err != nil {
		return none, err
	}
	if mode := pg.Value(e.project.Load().Mode); mode != "" && a.Mode != "" && a.Mode != mode {
		return none, &FieldError{"Mode", "is not the project's: a test event reached a live endpoint, or the other way round"}
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

// snapshotOwner binds a snapshot to its key.
func snapshotOwner(project string, k Key) string {
	return strings.Join([]string{"snapshot", project, k.Provider, k.EventID, k.Effect}, "\x00")
}

// receiptMember is one member of accept_many's list: accept's arguments.
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

// inList says at which position of a list a field is wrong.
func inList(i int, err error) error {
	var field *FieldError
	if errors.As(err, &field) {
		return &FieldError{fmt.Sprintf("list[%d].%s", i, field.Field), field.Reason}
	}
	return err
}
