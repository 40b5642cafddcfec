package access

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/internal/dbsqlc"
	"github.com/sendpromptly/sendpromptly/internal/store"
)

// Idempotency does the work of a request once.
type Idempotency struct{ db *store.DB }

// IdempotencyKey names one request for 24 hours.
type IdempotencyKey struct {
	// Project is the project's name; "" is the deployment as a whole.
	Project string
	// Endpoint keeps the keys of different endpoints apart.
	Endpoint string
	// Key is what the caller sent, 1 to 255 bytes.
	Key string
	// BodyHash tells another body from the same.
	BodyHash []byte
}

// Answer is what a request was answered with.
type Answer struct {
	Status int
	Body   []byte
	// Replayed says that the work was done before: this is the answer of then.
	Replayed bool
}

var (
	// ErrIdempotencyConflict means that the key was used with another body.
	ErrIdempotencyConflict = errors.New("the idempotency key was used with another body")
	// ErrIdempotencyBusy means that a request with this key is still running.
	ErrIdempotencyBusy = errors.New("a request with this idempotency key is still running")
)

// Once does the work of a request once: the key, the work and the
// answer commit in one transaction, or none of them does. The same key and body
// then get the answer again, byte for byte, for 24 hours. Only answers of 200
// to 299 are kept; with any other, and with an error, the transaction is rolled
// back. It never waits for another request with the same key, and no statement
// of the transaction waits for a row longer than 5 seconds.
//
// Errors: [ErrIdempotencyConflict], [ErrIdempotencyBusy], [engine.ErrNotFound] for an
// unknown project, and whatever work returns.
func (i *Idempotency) Once(
	ctx context.Context,
	k IdempotencyKey,
	work func(tx pgx.Tx) (status int, body []byte, err error),
) (Answer, error) {
	var answer Answer
	// The verdict counts on a fresh snapshot for each statement.
	err := i.db.InTx(ctx, func(tx pgx.Tx) error {
		begun, err := i.db.Queries.IdempotencyBegin(ctx, tx, dbsqlc.IdempotencyBeginParams(k))
		if err != nil {
			return err
		}
		switch begun.Verdict {
		case "new":
		case "stored":
			answer = Answer{Status: begun.Status, Body: begun.Answer, Replayed: true}
			return nil
		case "conflict":
			return ErrIdempotencyConflict
		case "busy":
			return ErrIdempotencyBusy
		default:
			return store.NotFound("project %q", k.Project)
		}
		answer.Status, answer.Body, err = work(tx)
		if err != nil {
			return err
		}
		if answer.Status < 200 || answer.Status > 299 {
			return errNotKept
		}
		return i.db.Queries.IdempotencyKeep(ctx, tx, dbsqlc.IdempotencyKeepParams{
			Project: k.Project, Endpoint: k.Endpoint, Key: k.Key,
			BodyHash: k.BodyHash, Status: answer.Status, Answer: answer.Body,
		})
	})
	if errors.Is(err, errNotKept) {
		return answer, nil
	}
	return answer, err
}

// errNotKept rolls the transaction of an answer back that is none of success.
var errNotKept = errors.New("the answer is not kept")
