package alerts

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/sendpromptly/sendpromptly/adminserver/internal/mail"
	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/caught"
	"github.com/sendpromptly/sendpromptly/internal/guardedhttp"
	"github.com/sendpromptly/sendpromptly/internal/store/projects"
)

// maxRetryAfter limits how long a destination may delay a retry.
const maxRetryAfter = time.Hour

// refusedError is a non-2xx answer.
type refusedError struct {
	status     int
	retryAfter time.Duration
}

func (e *refusedError) Error() string {
	return fmt.Sprintf("answered %d %s", e.status, http.StatusText(e.status))
}

// send sends a message to one destination. Errors never contain the destination, which may be a secret.
func (s *Sender) send(ctx context.Context, to projects.Destination, m message) error {
	switch to.Channel {
	case projects.AlertEmail:
		return s.mail(ctx, to, m.id, m.title(), m.text(mailLimit, plain))
	case projects.AlertSlack:
		return s.slack(ctx, to, m.text(slackLimit, slackText))
	}
	body, err := m.hook()
	if err != nil {
		return err
	}
	return s.webhook(ctx, to, m.id, body)
}

// test sends a message without incidents to one destination.
func (s *Sender) test(ctx context.Context, to projects.Destination, id, project string) error {
	text := "This is a test: alerts of project " + project + " are sent here."
	switch to.Channel {
	case projects.AlertEmail:
		return s.mail(ctx, to, id, project+": test alert", text+"\n\n"+s.deps.Base.URL("/incidents"))
	case projects.AlertSlack:
		return s.slack(ctx, to, slackText(text))
	}
	body, err := json.Marshal(map[string]string{"type": "test", "alert_id": id, "project": project, "message": text})
	if err != nil {
		return err
	}
	return s.webhook(ctx, to, id, body)
}

func (s *Sender) mail(ctx context.Context, to projects.Destination, id, subject, text string) error {
	if !s.smtp.Enabled() {
		return errors.New("this server has no mail server: start it with --smtp-address")
	}
	return s.smtp.Send(ctx, mail.Message{To: to.Addresses(), Subject: "[SendPromptly] " + subject, Text: text, Key: id})
}

func (s *Sender) slack(ctx context.Context, to projects.Destination, text string) error {
	body, err := json.Marshal(map[string]string{"text": text})
	if err != nil {
		return err
	}
	return s.post(ctx, to.Target, http.Header{}, body)
}

func (s *Sender) webhook(ctx context.Context, to projects.Destination, id string, body []byte) error {
	header, err := projects.SignAlert(to.Secret, id, time.Now(), body)
	if err != nil {
		return err
	}
	return s.post(ctx, to.Target, header, body)
}

func (s *Sender) post(ctx context.Context, target string, header http.Header, body []byte) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return errors.New("the destination is not a URL")
	}
	request.Header = header
	request.Header.Set("Content-Type", "application/json")
	response, err := s.client.Do(request)
	if err != nil {
		return guardedhttp.WithoutURL(err)
	}
	defer func() { _ = response.Body.Close() }()
	_ = guardedhttp.Text(response.Body) // read, so that the connection can be used again
	if response.StatusCode < 200 || response.StatusCode > 299 {
		return &refusedError{response.StatusCode, retryAfter(response.Header)}
	}
	return nil
}

// retryAfter reads the seconds in Retry-After.
func retryAfter(header http.Header) time.Duration {
	seconds, err := strconv.Atoi(strings.TrimSpace(header.Get("Retry-After")))
	if err != nil || seconds < 0 {
		return 0
	}
	return min(time.Duration(min(seconds, 1<<20))*time.Second, maxRetryAfter)
}

// Result is the result of a test message to one destination.
type Result struct {
	Channel string `json:"channel"`
	// Target is the part of the destination that may be shown.
	Target string `json:"target"`
	OK     bool   `json:"ok"`
	Error  string `json:"error,omitempty"`
}

// Test sends a test message to each destination of a project, at once and
// without trying again. [engine.ErrNotFound] if there is no such project.
func (s *Sender) Test(ctx context.Context, project string) ([]Result, error) {
	destinations, err := s.deps.Projects.Destinations(ctx, project)
	if err != nil {
		return nil, err
	}
	if len(destinations) == 0 {
		return nil, &engine.FieldError{Field: "project", Reason: "has no alert destination: set one with spadmin project set"}
	}
	id := "test-" + strconv.FormatInt(time.Now().UnixNano(), 36)
	results := make([]Result, len(destinations))
	var tests sync.WaitGroup
	for i, to := range destinations {
		results[i] = Result{Channel: to.Channel, Target: to.Shown, OK: true}
		tests.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, sendWithin)
			defer cancel()
			err := caught.Call(func() error { return s.test(ctx, to, id, project) })
			if caught.Is(err) {
				caught.Log(
					ctx,
					s.deps.Logger,
					slog.LevelError,
					"sendpromptly: a test message panicked",
					err,
					"project",
					project,
					"channel",
					to.Channel,
				)
				err = errors.New("the server failed: see its log")
			}
			if err != nil {
				results[i].OK, results[i].Error = false, clip(err.Error(), 500)
			}
		})
	}
	tests.Wait()
	return results, nil
}
