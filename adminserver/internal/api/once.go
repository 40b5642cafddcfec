package api

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"net/http"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/adminserver/internal/identity"
	"github.com/sendpromptly/sendpromptly/internal/pg"
	"github.com/sendpromptly/sendpromptly/internal/store/access"
)

// OnceHeader makes an action repeatable.
type OnceHeader struct {
	Key string `header:"Idempotency-Key" maxLength:"255" doc:"Repeating the request with the same key returns the same answer for 24 hours, and nothing is done twice."`
}

// done is the answer to an action, and whether it is a replay.
type done[T any] struct {
	ETag     string `header:"ETag" doc:"The incident's revision after the action."`
	Replayed string `header:"Idempotency-Replayed" doc:"true if this is the stored answer to an earlier request."`
	Body     T
}

// once performs an action and stores its answer in one transaction, so that the same key gets the same
// answer. asked identifies the request: a different request with the same key is refused. Without a key the
// action is just performed.
func once[T any](
	ctx context.Context,
	r *room,
	key, project, action string,
	asked any,
	do func(tx pgx.Tx) (T, error),
) (out done[T], err error) {
	if key == "" {
		err = pgx.BeginTxFunc(ctx, r.Pool, pg.ReadCommitted, func(tx pgx.Tx) (err error) {
			out.Body, err = do(tx)
			return err
		})
		return out, err
	}
	whole, err := json.Marshal([]any{identity.From(ctx).Name, asked})
	if err != nil {
		return out, err
	}
	hash := sha256.Sum256(whole)
	answer, err := r.Access.Idempotency.Once(
		ctx,
		access.IdempotencyKey{Project: project, Endpoint: "admin:" + action, Key: key, BodyHash: hash[:]},
		func(tx pgx.Tx) (int, []byte, error) {
			body, err := do(tx)
			if err != nil {
				return 0, nil, err
			}
			text, err := json.Marshal(body)
			return http.StatusOK, text, err
		},
	)
	if err != nil {
		return out, err
	}
	if answer.Replayed {
		out.Replayed = "true"
	}
	return out, json.Unmarshal(answer.Body, &out.Body)
}
