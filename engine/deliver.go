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

// deliverBatch bounds the callbacks in flight of one engine.
const deliverBatch = 32

// deliver sends the callbacks that are due, of all projects, and returns how
// many it sent. It ends when nothing is due, or another engine is claiming just
// then, and every answer is recorded. At most 4 per project are in flight, over
// all engines together. A callback whose engine dies is sent again a minute later.
//
// It claims again whenever an answer makes room, and once per interval where one
// is given, so that a slow endpoint holds up nobody else's callbacks.
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

// claim leases callbacks that are due.
func (e *Engine) claim(ctx context.Context, most int) (claims []dbsqlc.CallbackClaimRow, err error) {
	defer caught.Panic(&err) // the answers of those in flight are still waited for
	return pg.InTx(ctx, e.pool, func(tx pgx.Tx) ([]dbsqlc.CallbackClaimRow, error) { return e.queries.CallbackClaim(ctx, tx, most) })
}

// sending is what came of one claim. posted is false where the claim was lost
// before a byte left.
type sending struct {
	posted bool
	err    error
}

// send makes one try: it reads what to say, signs it with the nonce and time of
// the claim, posts it and records the answer. Where ctx ends meanwhile nothing
// is recorded: the lease runs out and the callback is sent again. Nothing is
// sent where the attempt ended since the claim, or its lease is nearly over. A
// panic is a try that failed, and returned too, so that its stack is logged.
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

// errClaimLost means that somebody else has the callback by now, or nobody.
var errClaimLost = errors.New("the callback is not this engine's any more")

// answer is what came of one try. status is 0 where there was no answer.
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
		return "", answer{err: errors.New("not sent: the engine of the last try died before it recorded an answer")}
	}
	secrets, err := e.callbackSecrets(ctx, claim.ProjectID)
	if err != nil {
		return "", answer{err: err}
	}
	// Last of what waits for the database, because it says whether to send at all.
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
		return url, answer{err: errors.New("the project's repair URL is missing or malformed")}
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
