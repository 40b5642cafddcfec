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

// EraseRequest says whose personal data to erase: set exactly one of Customer and Subject, as it
// was accepted.
type EraseRequest struct {
	Project           string
	Customer, Subject string
	// By is the operator, for the timelines and the audit log.
	By engine.Operator
}

// Erased is the result of [Evidence.Erase].
type Erased struct {
	// Effects counts the effects whose personal data were erased.
	Effects int `json:"effects"`
	// Open counts those that are still owed: a repair no longer has the customer's data.
	Open int `json:"open"`
}

// eraseBatch is how many effects one transaction erases.
const eraseBatch = 100

// Erase permanently deletes a person's data from their effects: subject, customer, merchant and
// object ids, payload, search terms, and every timeline text that may name them. It also deletes
// the salts, so that nobody can check a guess against a hash. What happened and when is kept, with
// an erased entry, and so are the provider's event id, the amount, and the operators. All chains
// and proofs stay valid. The audit log does not say who was erased.
func (e *Evidence) Erase(ctx context.Context, r EraseRequest) (Erased, error) {
	switch {
	case (r.Customer == "") == (r.Subject == ""):
		return Erased{}, &engine.FieldError{Field: "customer", Reason: "or the subject must be set, but not both"}
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
	// Effects that a worker has locked come last, one by one, so that nothing else is locked while
	// waiting.
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

// eraseStep is one transaction. Sealing may lock the same chains in another order, so after a
// deadlock it starts again.
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
