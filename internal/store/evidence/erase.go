package evidence

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/dbsqlc"
	"github.com/sendpromptly/sendpromptly/internal/input"
	"github.com/sendpromptly/sendpromptly/internal/pg"
	"github.com/sendpromptly/sendpromptly/internal/store"
)

// EraseRequest names whose personal values are to be destroyed: exactly one of
// Customer and Subject, as it was accepted.
type EraseRequest struct {
	Project           string
	Customer, Subject string
	// By is who erases; it enters the timelines and the audit log.
	By engine.Operator
}

// Erased is what [Evidence.Erase] did.
type Erased struct {
	// Effects counts the effects that were emptied.
	Effects int `json:"effects"`
	// Open counts those that are still owed: a repair will no longer be told for whom.
	Open int `json:"open"`
}

// eraseBatch is how many effects one transaction empties.
const eraseBatch = 100

// Erase destroys what the effects of a person hold about them, for ever:
// subject, customer, merchant and object ids, payload, search terms, and every text
// of their timelines that may name them; and the salts, without which nobody can
// tell whether a guess is right. What happened and when stays, with an erased
// entry, and so do the provider's event id, the amount, and who acted. Every
// chain and every proof stays valid. The audit log does not say who was erased.
func (e *Evidence) Erase(ctx context.Context, r EraseRequest) (Erased, error) {
	switch {
	case (r.Customer == "") == (r.Subject == ""):
		return Erased{}, &engine.FieldError{Field: "customer", Reason: "or the subject must be named, and not both"}
	case r.By == "":
		return Erased{}, &engine.FieldError{Field: "by", Reason: "is empty"}
	}
	for field, value := range map[string]string{"customer": r.Customer, "subject": r.Subject, "by": string(r.By)} {
		if err := store.Invalid(field, input.Text(value, input.NameLimit)); err != nil {
			return Erased{}, err
		}
	}
	if _, err := e.projects.ID(ctx, r.Project); err != nil {
		return Erased{}, err
	}
	params := dbsqlc.CustomerEraseParams{
		Project:  r.Project,
		Customer: pg.Optional(r.Customer),
		Subject:  pg.Optional(r.Subject),
		Operator: string(r.By),
		Batch:    eraseBatch,
	}
	var total Erased
	// What a worker holds is waited for last, one by one, while nothing else is held.
	for _, params.Patient = range []bool{false, true} {
		for taken := -1; taken != 0; {
			step, err := e.eraseStep(ctx, params)
			if err != nil {
				return total, err
			}
			taken = step.Taken
			total.Effects += step.Taken
			total.Open += step.Open
		}
	}
	return total, nil
}

// eraseStep is one transaction. Sealing takes chains in the order of what
// changed, which may be another one: the loser of that deadlock begins again.
func (e *Evidence) eraseStep(ctx context.Context, params dbsqlc.CustomerEraseParams) (step dbsqlc.CustomerEraseRow, err error) {
	for range 5 {
		err = e.db.InTx(ctx, func(tx pgx.Tx) (err error) {
			step, err = e.db.Queries.CustomerErase(ctx, tx, params)
			return err
		})
		var failed *pgconn.PgError
		if !errors.As(err, &failed) || failed.Code != "40P01" {
			break
		}
	}
	return step, err
}
