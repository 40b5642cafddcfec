// Package ingest is the HTTP API for apps that cannot share the transaction: receipts and results, in the
// form that the hosted product documents. The receipt or result, the idempotency key and the answer commit
// together before the answer is sent.
package ingest

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/adminserver/internal/web"
	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/opened"
	"github.com/sendpromptly/sendpromptly/internal/store/access"
	"github.com/sendpromptly/sendpromptly/internal/store/incidents"
)

// Limits limit the requests of one project. Zero fields take the defaults.
type Limits struct {
	// Body is the largest body in bytes. Default: 64 KiB.
	Body int64
	// SnapshotBody is the largest body where the project has snapshots on.
	// Default: 512 KiB.
	SnapshotBody int64
	// Fields is how many top-level fields a body may have. Default: 64.
	Fields int
	// Rate is how many requests per second a project may send to this process in the long run, Burst how many
	// at once. Defaults: 100 and 1,000.
	Rate  float64
	Burst int
}

func (l Limits) complete() Limits {
	if l.Body == 0 {
		l.Body = 64 << 10
	}
	if l.SnapshotBody == 0 {
		l.SnapshotBody = 512 << 10
	}
	if l.Fields == 0 {
		l.Fields = 64
	}
	if l.Rate == 0 {
		l.Rate = 100
	}
	if l.Burst == 0 {
		l.Burst = 1000
	}
	return l
}

// config has the API's dependencies.
type config struct {
	Access    *access.Access
	Incidents *incidents.Incidents
	// Engine returns a project's engine.
	Engine func(ctx context.Context, project string) (*engine.Engine, error)
	Logger *slog.Logger
	Limits Limits
}

// The time limits of one request: for the body to arrive after the headers, and for the work.
const (
	arrival = 10 * time.Second
	working = 15 * time.Second
)

// api answers requests. It is safe for concurrent use.
type api struct {
	cfg   config
	rates *rates
}

func newAPI(cfg config) *api {
	cfg.Limits = cfg.Limits.complete()
	return &api{cfg: cfg, rates: newRates(cfg.Limits.Rate, cfg.Limits.Burst)}
}

// work performs a valid request in the transaction that stores its answer, and returns that answer.
type work func(ctx context.Context, tx pgx.Tx, e *engine.Engine, caller access.KeyOwner, members object) (done, error)

// done is the body of a 202, and the incident to announce after the commit.
type done struct {
	body   []byte
	opened opened.Incidents
}

// endpoint answers a request, whatever happens to it.
func (a *api) endpoint(name string, do work) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, err := a.serve(w, r, name, do)
		if err != nil {
			a.explain(r, name, err).write(w)
			return
		}
		if answer.Replayed {
			w.Header().Set("Idempotent-Replayed", "true")
		}
		write(w, answer.Status, answer.Body)
	})
}

// serve makes the checks in the documented order: negotiation, key, size and
// fields, idempotency key, suspension, rate, replay, validation.
func (a *api) serve(w http.ResponseWriter, r *http.Request, endpoint string, do work) (access.Answer, error) {
	var none access.Answer
	if p := negotiate(r.Header); p != nil {
		return none, p
	}
	caller, err := a.authenticate(r)
	if err != nil {
		return none, err
	}
	body, err := a.read(w, r, caller)
	if err != nil {
		return none, err
	}
	members, malformed := decode(body, a.cfg.Limits.Fields)
	if errors.Is(malformed, errTooManyFields) {
		return none, fail("too_many_fields", "The body has more top-level fields than this API accepts.")
	}
	key := idempotencyKey(r.Header)
	if key == "" {
		return none, fail("missing_idempotency_key", "Send one Idempotency-Key of 1 to 255 visible ASCII characters.")
	}
	if caller.Suspended {
		return none, fail("subscription_required", "An operator has suspended this project.")
	}
	if wait := a.rates.wait(caller.Project); wait > 0 {
		return none, &problem{
			code: "rate_limited", message: "Too many requests for this project. Retry after the seconds in Retry-After.",
			retryAfter: wait,
		}
	}
	// The engine may have to query the database. It must not do so within the transaction, where it would
	// wait for a connection while holding one.
	ctx, cancel := context.WithTimeout(r.Context(), working)
	defer cancel()
	e, err := a.cfg.Engine(ctx, caller.Project)
	if err != nil {
		return none, err
	}
	hash := sha256.Sum256(body)
	var worked done
	answer, err := a.cfg.Access.Idempotency.Once(ctx,
		access.IdempotencyKey{Project: caller.Project, Endpoint: endpoint, Key: key, BodyHash: hash[:]},
		func(tx pgx.Tx) (int, []byte, error) {
			if malformed != nil {
				return 0, nil, malformed
			}
			var err error
			worked, err = do(ctx, tx, e, caller, members)
			return http.StatusAccepted, worked.body, err
		})
	if err == nil {
		worked.opened.Say(ctx, a.cfg.Logger)
	}
	return answer, err
}

func (a *api) authenticate(r *http.Request) (access.KeyOwner, error) {
	unauthorized := fail("unauthorized", "Send Authorization: Bearer with an API key of this project.")
	key := bearer(r.Header)
	if key == "" {
		return access.KeyOwner{}, unauthorized
	}
	ctx, cancel := context.WithTimeout(r.Context(), working)
	defer cancel()
	caller, err := a.cfg.Access.Keys.Owner(ctx, key)
	if errors.Is(err, engine.ErrNotFound) {
		return access.KeyOwner{}, unauthorized
	}
	return caller, err
}

// read reads the body, bounded in size and time.
func (a *api) read(w http.ResponseWriter, r *http.Request, caller access.KeyOwner) ([]byte, error) {
	limit := a.cfg.Limits.Body
	if caller.Snapshots {
		limit = a.cfg.Limits.SnapshotBody
	}
	tooLarge := fail("payload_too_large", "The body is larger than this project's limit.")
	if r.ContentLength > limit {
		w.Header().Set("Connection", "close") // the rest is not worth reading
		return nil, tooLarge
	}
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(arrival)) // not every server supports it; then its own limits apply
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	var over *http.MaxBytesError
	switch {
	case errors.As(err, &over):
		return nil, tooLarge
	case err != nil:
		w.Header().Set("Connection", "close")
		return nil, invalid("body", "arrived incomplete")
	}
	_ = control.SetReadDeadline(time.Time{})
	return body, nil
}

// explain turns any error into one that callers may see, and logs the details that they may not see.
func (a *api) explain(r *http.Request, endpoint string, err error) *problem {
	var (
		known *problem
		body  malformed
	)
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &body):
		return invalid("body", string(body))
	case errors.Is(err, access.ErrIdempotencyConflict):
		return fail("idempotency_conflict", "This Idempotency-Key was used with another body within the last 24 hours.")
	case errors.Is(err, access.ErrIdempotencyBusy):
		return &problem{
			code:       "idempotency_conflict",
			message:    "A request with this Idempotency-Key is still running: retry in a moment.",
			retryAfter: time.Second,
		}
	}
	if r.Context().Err() == nil {
		a.cfg.Logger.ErrorContext(r.Context(), "sendpromptly: a request of the ingest API failed",
			"request_id", web.RequestID(r.Context()), "endpoint", endpoint, "error", err)
	}
	return fail(
		"internal_error",
		"The server failed. It is safe to retry the request with the same Idempotency-Key.",
	)
}
