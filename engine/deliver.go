package engine

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/internal/callback"
	"github.com/sendpromptly/sendpromptly/internal/caught"
	"github.com/sendpromptly/sendpromptly/internal/dbsqlc"
	"github.com/sendpromptly/sendpromptly/internal/guardedhttp"
	"github.com/sendpromptly/sendpromptly/internal/input"
	"github.com/sendpromptly/sendpromptly/internal/named"
	"github.com/sendpromptly/sendpromptly/internal/pg"
)

// deliverBatch is the most callbacks that one engine has in flight.
const deliverBatch = 32

// deliver sends the callbacks that are due, in all projects, and returns how many it sent. It
// returns when nothing more is due, or another engine is claiming callbacks, and all answers are
// recorded. At most 4 callbacks per project are in flight, over all engines together. If the engine
// dies, its callbacks are sent again a minute later.
//
// It claims more after every answer and, if interval is not 0, once per interval, so that a slow
// endpoint does not delay callbacks to others.
func (e *Engine) deliver(ctx context.Context, interval time.Duration) (sent int, err error) {
	answered := make(chan sending, deliverBatch)
	flying := 0
	var failures []error
	for {
		if ctx.Err() == nil && flying < deliverBatch {
			claims, err := e.claim(ctx, deliverBatch-flying)
			if err != nil {
				failures = append(failures, err)
			}
			for _, claim := range claims {
				go func() { answered <- e.send(ctx, claim) }()
			}
			flying += len(claims)
		}
		if flying == 0 {
			sayCount(ctx, e.cfg.Logger, saysSent, "sent", sent)
			return sent, named.Error("delivering callbacks", errors.Join(failures...))
		}
		var tick <-chan time.Time
		if interval > 0 {
			tick = time.After(interval)
		}
		select {
		case s := <-answered:
			flying--
			if s.posted {
				sent++
			}
			if s.err != nil {
				failures = append(failures, s.err)
			}
		case <-tick:
		}
	}
}

// claim leases up to most callbacks that are due.
func (e *Engine) claim(ctx context.Context, most int) (claims []dbsqlc.CallbackClaimRow, err error) {
	defer caught.Panic(&err) // deliver still waits for the callbacks in flight
	return pg.InTx(ctx, e.pool, func(tx pgx.Tx) ([]dbsqlc.CallbackClaimRow,
		error,
	) {
		return e.queries.CallbackClaim(ctx, tx, most)
	})
}

// sending is the result of one claim. posted is false if the claim was lost before anything was
// sent.
type sending struct {
	posted bool
	err    error
}

// send makes one try: it reads the content, signs it with the nonce and time of the claim, posts it
// and records the answer. If ctx ends before that, nothing is recorded: the lease expires and the
// callback is sent again. Nothing is sent if the attempt has ended since the claim, or if its lease
// is about to expire. A panic counts as a failed try and is returned too, so that its stack is
// logged.
func (e *Engine) send(ctx context.Context, claim dbsqlc.CallbackClaimRow) (s sending) {
	defer caught.Panic(&s.err)
	started := time.Now() //nolint:forbidigo // how long a try took
	url, answer := e.post(ctx, claim)
	if errors.Is(answer.err, errClaimLost) {
		return sending{}
	}
	s.posted = true
	if caught.Is(answer.err) {
		s.err = answer.err
	}
	if ctx.Err() != nil {
		return s
	}
	verdict := callback.VerdictOn(answer.status, answer.err)
	params := dbsqlc.CallbackCompleteParams{
		ProjectID: claim.ProjectID, ReplayID: claim.ReplayID, Token: claim.Token,
		Verdict: string(verdict), DurationMs: int(time.Since(started).Milliseconds()), Url: url, Answer: pg.Optional(answer.text),
	}
	if answer.status != 0 {
		params.Status = &answer.status
	}
	if answer.err != nil {
		params.Error = pg.Optional(input.Cut(answer.err.Error(), 2000))
	}
	if delay, ok := callback.Delay(claim.Try, answer.retryAfter, rand.Float64()); ok {
		params.RetryIn = pg.Optional(pg.Interval(delay))
	}
	if _, err := pg.InTx(
		ctx,
		e.pool,
		func(tx pgx.Tx) (bool, error) { return e.queries.CallbackComplete(ctx, tx, params) },
	); err != nil {
		s.err = errors.Join(s.err, err)
	}
	return s
}

// errClaimLost means that the lease was lost.
var errClaimLost = errors.New("the lease of the callback was lost")

// answer is the result of one try. status is 0 if there was no answer.
type answer struct {
	status     int
	text       string
	retryAfter time.Duration
	err        error
}

// post sends the signed request and reads at most 4 KiB of the answer.
func (e *Engine) post(ctx context.Context, claim dbsqlc.CallbackClaimRow) (url string, a answer) {
	defer caught.Panic(&a.err)
	if claim.Try > callback.Tries {
		return "", answer{err: errors.New("not sent: the engine stopped during the last try, before it recorded an answer")}
	}
	secrets, err := e.callbackSecrets(ctx, claim.ProjectID)
	if err != nil {
		return "", answer{err: err}
	}
	// This is the last query before sending, because it decides whether to send at all.
	content, err := e.queries.CallbackContent(ctx, e.pool, dbsqlc.CallbackContentParams{
		ProjectID: claim.ProjectID, ReplayID: claim.ReplayID,
		Token: claim.Token, Sending: pg.Interval(guardedhttp.Timeout + 5*time.Second),
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return "", answer{err: errClaimLost}
	}
	if err != nil {
		return "", answer{err: err}
	}
	url = pg.Value(content.Project.RepairUrl)
	body, err := e.callbackBody(ctx, claim, content).Encode()
	if err != nil {
		return url, answer{err: err}
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return url, answer{err: errors.New("the project's repair URL is missing or malformed: set it with spadmin project set " +
			"--repair-url")}
	}
	if request.Header, err = callback.Headers(
		secrets,
		claim.ReplayID,
		claim.Nonce,
		claim.SignedAt,
		body,
		content.Project.SignaturePrefix,
	); err != nil {
		return url, answer{err: err}
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := e.client.Do(request)
	if err != nil {
		return url, answer{err: guardedhttp.WithoutURL(err)}
	}
	defer func() { _ = response.Body.Close() }()
	return url, answer{
		status:     response.StatusCode,
		text:       guardedhttp.Text(response.Body),
		retryAfter: callback.RetryAfter(response.Header, claim.SignedAt),
	}
}

// callbackBody is the JSON of wire format 2.
func (e *Engine) callbackBody(ctx context.Context, claim dbsqlc.CallbackClaimRow, c dbsqlc.CallbackContentRow) callback.Body {
	body := callback.Body{
		Type:              callback.TypeReprocess,
		ReplayID:          claim.ReplayID,
		Attempt:           c.Number,
		Project:           c.Project.Name,
		Mode:              pg.Value(c.Project.Mode),
		EventID:           c.Effect.EffectID,
		IncidentID:        claim.IncidentID,
		Provider:          c.Effect.Provider,
		ProviderEventID:   c.Effect.EventID,
		EventType:         pg.Value(c.Effect.EventType),
		EffectType:        c.Effect.Effect,
		InternalReference: pg.Value(c.Effect.Subject),
		OccurredAt:        pg.Value(c.Effect.OccurredAt),
		Cause:             c.Cause,
		RequestedAt:       c.RequestedAt,
		Customer:          pg.Value(c.Effect.Customer),
		Merchant:          pg.Value(c.Effect.Merchant),
		Objects:           c.Effect.Objects,
		SourceEventID:     pg.Value(c.Effect.SourceEvent),
		Payload:           e.payload(ctx, c.Snapshot, c.Effect, c.Project.Name),
	}
	if amount := newMoney(c.Effect.Amount, c.Effect.Currency); amount.Known() {
		body.Amount, body.Currency = &amount.Minor, amount.Currency
	}
	return body
}
