// Package alerts notifies people and programs of incidents by email, Slack and signed webhook. It sends one
// message per project and pass about everything that is due, and marks it as sent only after the destination
// accepted it.
package alerts

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/sendpromptly/sendpromptly/adminserver/internal/mail"
	"github.com/sendpromptly/sendpromptly/adminserver/internal/web"
	"github.com/sendpromptly/sendpromptly/internal/caught"
	"github.com/sendpromptly/sendpromptly/internal/guardedhttp"
	"github.com/sendpromptly/sendpromptly/internal/store/projects"
)

const (
	// interval is how often a server checks, so a project gets at most one message per interval about a
	// lasting problem.
	interval = 10 * time.Second
	// maxFlying limits the concurrent deliveries of one server.
	maxFlying = 16
	// sendWithin bounds one delivery, well within its lease of a minute.
	sendWithin = 20 * time.Second
)

// delays are the waits after each failed try. After the last one the delivery is not retried, about seven
// hours after the first.
var delays = []time.Duration{
	30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 30 * time.Minute,
	time.Hour, time.Hour, time.Hour, time.Hour, time.Hour, time.Hour,
}

// Sender sends alerts. It is safe for concurrent use, and any number of servers may send.
type Sender struct {
	deps   web.Deps
	smtp   mail.SMTP
	client *http.Client
}

// New makes a sender. Emails are sent through smtp; without it they fail and are retried until the last
// delay.
func New(d web.Deps, smtp mail.SMTP) *Sender {
	return &Sender{deps: d, smtp: smtp, client: guardedhttp.New(d.AllowNetworks)}
}

// Steps are the background work of this room.
func (s *Sender) Steps() []web.Step {
	return []web.Step{{Name: "alerts", Every: interval, Do: func(ctx context.Context) error { _, err := s.Send(ctx); return err }}}
}

// Send sends everything that is due and returns how many deliveries it made, including failed ones. It
// continues to check while a delivery runs, so that a hanging destination does not delay the others.
func (s *Sender) Send(ctx context.Context) (int, error) {
	answered := make(chan error, maxFlying)
	sent, flying := 0, 0
	var failures []error
	for {
		if ctx.Err() == nil && flying < maxFlying {
			due, err := s.due(ctx, maxFlying-flying)
			if err != nil {
				failures = append(failures, err)
			}
			for _, delivery := range due {
				go func() { answered <- s.deliver(ctx, delivery) }()
			}
			flying += len(due)
			sent += len(due)
		}
		if flying == 0 {
			return sent, errors.Join(failures...)
		}
		select {
		case err := <-answered:
			flying--
			if err != nil {
				failures = append(failures, err)
			}
		case <-time.After(time.Second):
		}
	}
}

func (s *Sender) due(ctx context.Context, limit int) ([]projects.AlertDelivery, error) {
	if _, err := s.deps.Projects.Alerts.Gather(ctx); err != nil {
		return nil, err
	}
	return s.deps.Projects.Alerts.Due(ctx, limit)
}

// deliver makes one try and records its result. If ctx ends during the try, nothing is recorded: the lease
// expires, and the message is sent again under the same id. A panic counts as a failed try, and is also
// returned so that its stack is logged.
func (s *Sender) deliver(ctx context.Context, d projects.AlertDelivery) (err error) {
	defer caught.Panic(&err)
	came := s.try(ctx, d)
	if caught.Is(came) {
		err = came
	}
	if ctx.Err() != nil {
		return err
	}
	if _, broken := s.deps.Projects.Alerts.Mark(ctx, d, s.verdict(ctx, d, came)); broken != nil {
		err = errors.Join(err, broken)
	}
	return err
}

// errNothing means that there is nothing left to send.
var errNothing = errors.New("nothing to send")

// verdict decides how a try ends, and logs failed tries.
func (s *Sender) verdict(ctx context.Context, d projects.AlertDelivery, err error) projects.AlertVerdict {
	if err == nil || errors.Is(err, errNothing) {
		return projects.AlertVerdict{Dropped: err != nil}
	}
	o := projects.AlertVerdict{Problem: clip(err.Error(), 500)}
	if d.Try > len(delays) {
		caught.Log(
			ctx,
			s.deps.Logger,
			slog.LevelError,
			"sendpromptly: an alert failed and will not be retried",
			errors.New(o.Problem),
			"project",
			d.Project,
			"channel",
			d.Channel,
			"alert",
			d.ID,
		)
		return o
	}
	o.RetryIn = delays[d.Try-1]
	var refused *refusedError
	if errors.As(err, &refused) {
		o.RetryIn = max(o.RetryIn, refused.retryAfter)
	}
	if caught.Is(err) {
		return o // the panic is returned, and logged with its stack
	}
	caught.Log(
		ctx,
		s.deps.Logger,
		slog.LevelWarn,
		"sendpromptly: an alert failed and will be retried",
		errors.New(o.Problem),
		"project",
		d.Project,
		"channel",
		d.Channel,
		"alert",
		d.ID,
		"try",
		d.Try,
		"retry_in",
		o.RetryIn,
	)
	return o
}

func (s *Sender) try(ctx context.Context, d projects.AlertDelivery) (err error) {
	defer caught.Panic(&err)
	ctx, cancel := context.WithTimeout(ctx, sendWithin)
	defer cancel()
	content, err := s.deps.Projects.Alerts.Content(ctx, d)
	if err != nil {
		return err
	}
	if len(content.Groups) == 0 {
		return errNothing // settled since the claim
	}
	destinations, err := s.deps.Projects.Destinations(ctx, d.Project)
	if err != nil {
		return err
	}
	for _, to := range destinations {
		if to.Channel == d.Channel {
			return s.send(ctx, to, message{id: d.ID, project: d.Project, mode: d.Mode, base: s.deps.Base, content: content})
		}
	}
	return errNothing // the destination was removed
}
