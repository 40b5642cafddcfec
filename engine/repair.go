package engine

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sendpromptly/sendpromptly/internal/callback"
	"github.com/sendpromptly/sendpromptly/internal/dbsqlc"
	"github.com/sendpromptly/sendpromptly/internal/input"
	"github.com/sendpromptly/sendpromptly/internal/pg"
)

// Repair is a request to apply one effect, once. An operator made it with [Engine.Reprocess].
type Repair struct {
	// Acceptance is what the app recorded when it accepted the job. Payload is set if the project
	// stores snapshots; Mode is empty.
	Acceptance
	EffectID   EffectID
	IncidentID IncidentID
	// ReplayID is the attempt's id, the same for all its callbacks. If you queue the repair, pass
	// it on with [WithReplay].
	ReplayID string
	// Attempt counts the incident's attempts from 1.
	Attempt int
	// Cause is why the incident is open.
	Cause Cause
	// LaterApplied lists effects of the same subject that were accepted later and are applied, at
	// most 20. Check it before repairing: a late unlock would undo a later revocation. It may miss
	// effects that were accepted within the last few seconds.
	LaterApplied []Key
}

// RepairHandler answers repair callbacks by doing the repair at once. It verifies the signature and
// the nonce, runs repair in a transaction, and records the success in the same transaction, so that
// the effect happens exactly once. It answers
//
//	200 applied, now or before      409 not the current attempt
//	401 signature or nonce refused  422 repair returned Permanent, or an unknown request
//	503 busy, or repair failed and may be tried again; an entry says why
//	405 not a POST                  413 over 1 MiB
//
// The answer never contains the error; the timeline does. A panic in repair is treated as an error.
// Mount the handler at the project's repair URL.
func (e *Engine) RepairHandler(repair func(ctx context.Context, tx pgx.Tx, r Repair) error) http.Handler {
	return &repairHandler{engine: e, do: repair}
}

// EnqueueHandler answers repair callbacks by queueing the repair. It runs enqueue in a transaction
// that also stores the answer, so that one Reprocess queues one job even if its callback arrives
// several times. It answers 202 and records no outcome: the worker does that with [Engine.Apply]
// and [WithReplay]. Its other answers are those of [Engine.RepairHandler].
func (e *Engine) EnqueueHandler(enqueue func(ctx context.Context, tx pgx.Tx, r Repair) error) http.Handler {
	return &repairHandler{engine: e, do: enqueue, queued: true}
}

// Permanent marks a repair's error that another try cannot fix. The failure is recorded and no more
// callbacks are sent for this attempt. Permanent(nil) is nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &permanentError{err}
}

type permanentError struct{ cause error }

func (p *permanentError) Error() string { return p.cause.Error() }
func (p *permanentError) Unwrap() error { return p.cause }

type repairHandler struct {
	engine *Engine
	do     func(ctx context.Context, tx pgx.Tx, r Repair) error
	queued bool
}

// verdict is an answer to a callback: a status and a short word for it.
type verdict struct {
	status int
	word   string
}

var (
	applied   = verdict{http.StatusOK, "applied"}
	accepted  = verdict{http.StatusAccepted, "queued"}
	refused   = verdict{http.StatusUnauthorized, "signature_refused"}
	reused    = verdict{http.StatusUnauthorized, "nonce_reused"}
	stale     = verdict{http.StatusConflict, "not_the_current_attempt"}
	malformed = verdict{http.StatusUnprocessableEntity, "request_not_understood"}
	permanent = verdict{http.StatusUnprocessableEntity, "repair_failed"}
	busy      = verdict{http.StatusServiceUnavailable, "busy"}
	transient = verdict{http.StatusServiceUnavailable, "try_again"}
	tooLarge  = verdict{http.StatusRequestEntityTooLarge, "too_large"}
	notPosted = verdict{http.StatusMethodNotAllowed, "post_only"}
)

// requestLimit is the longest callback body in bytes: a payload snapshot of 512 KiB and the fields
// around it.
const requestLimit = 1 << 20

func (h *repairHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v := h.answer(w, r)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if v.status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "5")
	}
	if v == notPosted {
		w.Header().Set("Allow", http.MethodPost)
	}
	w.WriteHeader(v.status)
	_ = json.NewEncoder(w).Encode(map[string]string{"result": v.word}) // the sender may be gone
}

func (h *repairHandler) answer(w http.ResponseWriter, r *http.Request) verdict {
	if r.Method != http.MethodPost {
		return notPosted
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, requestLimit))
	if err != nil {
		return tooLarge
	}
	ctx := r.Context()
	now, err := h.engine.queries.ClockRead(ctx, h.engine.pool)
	if err != nil {
		return h.broken(ctx, "reading the clock", err)
	}
	secrets, err := h.engine.callbackSecrets(ctx, h.engine.project.Load().ProjectID)
	if err != nil {
		return h.broken(ctx, "reading the secrets", err)
	}
	signed, err := callback.Verify(r.Header, body, secrets, now)
	if err != nil {
		return refused
	}
	asked, err := callback.Decode(body)
	if err != nil || asked.Type != callback.TypeReprocess || asked.Project != h.engine.cfg.Project ||
		validID(
			"event_id",
			asked.EventID,
		) != nil || validID("replay_id", asked.ReplayID) != nil || validID("incident_id", asked.IncidentID) != nil {
		return malformed
	}
	return h.repair(ctx, asked, signed.Nonce, sha256.Sum256(body))
}

// broken logs a failure on our own side and asks for another try.
func (h *repairHandler) broken(ctx context.Context, doing string, err error) verdict {
	h.engine.cfg.Logger.ErrorContext(ctx, saysUnanswered, "doing", doing, "error", err)
	return transient
}

// repair runs the app's function, unless the effect's state already decides the answer, and maps
// the result to a verdict.
func (h *repairHandler) repair(ctx context.Context, asked callback.Body, nonce string, bodyHash [32]byte) verdict {
	v, err := h.inTransaction(ctx, asked, nonce, bodyHash)
	var lasting *permanentError
	switch {
	case err == nil:
		return v
	case errors.As(err, &lasting):
		return h.giveUp(ctx, asked, nonce, bodyHash, err)
	case isCode(err, "55P03"):
		return busy
	}
	note := dbsqlc.RepairNoteBrokenParams{
		EffectID:     asked.EventID,
		ReplayID:     asked.ReplayID,
		ErrorMessage: input.Cut(fmt.Sprint(err), 2000),
		Project:      h.engine.cfg.Project,
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), failTimeout)
	defer cancel()
	err = pgx.BeginTxFunc(
		ctx,
		h.engine.pool,
		pg.ReadCommitted,
		func(tx pgx.Tx) error { return h.engine.queries.RepairNoteBroken(ctx, tx, note) },
	)
	if err != nil {
		return h.broken(ctx, "recording a failed repair", err)
	}
	return transient
}

// inTransaction locks the effect's row, runs the app's function, records the success (unless the
// repair is queued) and stores the answer: all or nothing.
func (h *repairHandler) inTransaction(
	ctx context.Context,
	asked callback.Body,
	nonce string,
	bodyHash [32]byte,
) (v verdict, err error) {
	defer func() {
		// The transaction has been rolled back by now.
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	e := h.engine
	return pg.InTx(ctx, e.pool, func(tx pgx.Tx) (verdict, error) {
		row, err := e.queries.RepairBegin(ctx, tx, dbsqlc.RepairBeginParams{
			EffectID: asked.EventID, ReplayID: asked.ReplayID,
			Nonce: nonce, BodyHash: bodyHash[:], Project: e.cfg.Project,
		})
		if err != nil {
			return verdict{}, err
		}
		switch row.Verdict {
		case "unknown":
			return malformed, nil
		case "reused":
			return reused, nil
		case "replayed":
			return verdict{row.Status, row.Answer}, nil
		case "stale":
			return stale, nil
		}
		v := applied
		if row.Verdict == "run" {
			if v, err = h.run(ctx, tx, asked); err != nil {
				return v, err
			}
		}
		return v, h.keep(ctx, tx, asked, nonce, bodyHash, v)
	})
}

// run calls the app's function and, unless the repair is queued, records its success.
func (h *repairHandler) run(ctx context.Context, tx pgx.Tx, asked callback.Body) (verdict, error) {
	e := h.engine
	r, err := e.newRepair(ctx, tx, asked)
	if err != nil {
		return verdict{}, err
	}
	if err := h.do(ctx, tx, r); err != nil {
		return verdict{}, err
	}
	if h.queued {
		return accepted, nil
	}
	return applied, e.succeed(ctx, tx, r.Key, []OutcomeOption{WithReplay(asked.ReplayID)})
}

// newRepair reads what the app needs from the receipt, not from the request.
func (e *Engine) newRepair(ctx context.Context, tx pgx.Tx, asked callback.Body) (Repair, error) {
	row, err := e.queries.IncidentGetByEffect(
		ctx,
		tx,
		dbsqlc.IncidentGetByEffectParams{Project: e.cfg.Project, EffectID: asked.EventID},
	)
	if err != nil {
		return Repair{}, err
	}
	r := Repair{
		Acceptance: newAcceptance(row.Effect), EffectID: EffectID(row.Effect.EffectID), IncidentID: IncidentID(row.Incident.IncidentID),
		ReplayID: asked.ReplayID, Attempt: row.Incident.Attempt, Cause: Cause(row.Incident.Cause),
	}
	r.Payload = asked.Payload
	if r.Subject == "" {
		return r, nil
	}
	later, err := e.queries.EffectListLaterApplied(ctx, tx, dbsqlc.EffectListLaterAppliedParams{
		ProjectID: row.Effect.ProjectID,
		Subject:   r.Subject, EffectID: row.Effect.EffectID,
	})
	for _, k := range later {
		r.LaterApplied = append(r.LaterApplied, Key{Provider: k.Provider, EventID: k.EventID, Effect: k.Effect})
	}
	return r, err
}

// keep stores the answer, so that a repeated request gets the same one.
func (h *repairHandler) keep(
	ctx context.Context,
	tx pgx.Tx,
	asked callback.Body,
	nonce string,
	bodyHash [32]byte,
	v verdict,
) error {
	return h.engine.queries.RepairEnd(ctx, tx, dbsqlc.RepairEndParams{
		EffectID: asked.EventID, ReplayID: asked.ReplayID, Nonce: nonce,
		BodyHash: bodyHash[:], Status: v.status, Answer: v.word, Project: h.engine.cfg.Project,
	})
}

// giveUp records a permanent failure, after the repair's transaction has rolled back.
func (h *repairHandler) giveUp(ctx context.Context, asked callback.Body, nonce string, bodyHash [32]byte, cause error) verdict {
	k := Key{Provider: asked.Provider, EventID: asked.ProviderEventID, Effect: asked.EffectType}
	if err := h.engine.Fail(ctx, k, cause, WithReplay(asked.ReplayID)); err != nil {
		return h.broken(ctx, "recording a permanent failure", err)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), failTimeout)
	defer cancel()
	err := pgx.BeginTxFunc(
		ctx,
		h.engine.pool,
		pg.ReadCommitted,
		func(tx pgx.Tx) error { return h.keep(ctx, tx, asked, nonce, bodyHash, permanent) },
	)
	if err != nil {
		return h.broken(ctx, "storing the answer", err)
	}
	return permanent
}

func isCode(err error, code string) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == code
}
