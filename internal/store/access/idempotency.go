package access

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/internal/dbsqlc"
	"github.com/sendpromptly/sendpromptly/internal/store"
)

// Idempotency makes sure that a repeated request does its work only once.
type Idempotency struct{ db *store.DB }

// IdempotencyKey identifies one request for 24 hours.
type IdempotencyKey struct {
	// Project is the project's name; "" is the whole deployment.
	Project string
	// Endpoint keeps the keys of different endpoints apart.
	Endpoint string
	// Key is what the caller sent, 1 to 255 bytes.
	Key string
	// BodyHash shows whether a repeated request has the same body.
	BodyHash []byte
}

// Answer is the answer to a request.
type Answer struct {
	Status int
	Body   []byte
	// Replayed is true if the work was done before and this is the stored answer.
	Replayed bool
}

var (
	// ErrIdempotencyConflict means that the key was used with another body.
	ErrIdempotencyConflict = errors.New("the idempotency key was used with another body")
	// ErrIdempotencyBusy means that a request with this key is still running.
	ErrIdempotencyBusy = errors.New("a request with this idempotency key is still running")
)

// Once does the work of a request once: the key, the work and the answer commit in one transaction,
// or none of them does. For 24 hours, the same key and body get the same answer, byte for byte.
// Only 2xx answers are stored; any other answer, or an error, rolls back the transaction. Once
// never waits for another request with the same key, and no statement of the transaction waits for
// a lock longer than 5 seconds.
//
// It returns [ErrIdempotencyConflict], [ErrIdempotencyBusy], [engine.ErrNotFound] for an unknown
// project, and any error of work.
func (i *Idempotency) Once(
	ctx context.Context,
	k IdempotencyKey,
	work func(tx pgx.Tx) (status int, body []byte, err error),
) (Answer, error) {
	var answer Answer
	// The verdict needs a fresh snapshot for each statement.
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

// errNotKept rolls back a non-2xx answer.
var errNotKept = errors.New("the answer is not stored")
