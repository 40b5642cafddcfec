package alerts_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sendpromptly/sendpromptly/adminserver/internal/alerts"
	"github.com/sendpromptly/sendpromptly/internal/store/projects"
)

func TestADestinationThatFailsIsTriedAgainUnderTheSameID(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.everywhere()
	d.webhook.answer(503, nil)
	d.slack.answer(429, map[string]string{"Retry-After": "300"})
	d.mail.full = true
	d.miss("default", key(1))
	if n := d.send(); n != 3 || d.entries(key(1)) != 0 {
		t.Errorf("%d deliveries, %d entries before anybody took it", n, d.entries(key(1)))
	}
	if n := d.send(); n != 0 {
		t.Errorf("%d tries without a pause", n)
	}
	d.webhook.answer(200, nil)
	d.slack.answer(200, nil)
	d.mail.mu.Lock()
	d.mail.full = false
	d.mail.mu.Unlock()
	d.db.Travel(31 * time.Second)
	if n := d.send(); n != 2 {
		t.Errorf("%d deliveries after half a minute, want the letter and the webhook", n)
	}
	d.db.Travel(270 * time.Second)
	if n := d.send(); n != 1 {
		t.Errorf("%d deliveries after the time that Slack asked for", n)
	}
	hooks := d.webhook.all()
	if len(hooks) != 2 || hooks[0].header.Get("Webhook-Id") != hooks[1].header.Get("Webhook-Id") || len(d.mail.all()) != 1 ||
		len(d.slack.all()) != 2 {
		t.Errorf("%d webhooks, %d letters, %d texts", len(hooks), len(d.mail.all()), len(d.slack.all()))
	}
	if d.entries(key(1)) != 1 {
		t.Errorf("%d entries", d.entries(key(1)))
	}
	if log := d.log.String(); strings.Contains(log, "secret-path") || strings.Contains(log, "whsec_") {
		t.Errorf("the log holds a secret: %s", log)
	}
}

func TestWhatNobodyTakesIsGivenUp(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.set(projects.Settings{AlertSlack: &d.slack.url})
	d.slack.answer(404, nil)
	d.miss("default", key(1))
	for range 20 {
		d.send()
		d.db.Travel(61 * time.Minute)
	}
	if n := len(d.slack.all()); n != 13 {
		t.Errorf("%d tries, want 13", n)
	}
	var state, problem string
	if err := d.db.Pool.QueryRow(t.Context(), "SELECT state, error FROM sendpromptly.alerts").
		Scan(&state, &problem); err != nil || state != "gave_up" ||
		problem != "answered 404 Not Found" {
		t.Errorf("%s %q, %v", state, problem, err)
	}
}

// A destination that hangs holds up neither the other projects nor what comes
// due meanwhile.
func TestADestinationThatHangsHoldsUpNobodyElse(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	reached, release := make(chan struct{}, 10), make(chan struct{})
	hanging := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		reached <- struct{}{}
		<-release
	}))
	defer hanging.Close()
	defer close(release)
	d.set(projects.Settings{AlertSlack: &hanging.URL})
	if _, _, err := d.store.Projects.Create(
		t.Context(),
		"other",
		projects.Settings{AlertSlack: &d.slack.url},
		loopback,
		"ada",
	); err != nil {
		t.Fatal(err)
	}
	d.miss("default", key(1))
	d.miss("other", key(1))
	// The other project's alert becomes due when the first is on its way.
	if _, err := d.db.Pool.Exec(
		t.Context(),
		"UPDATE sendpromptly.outbox SET due_at = due_at + interval '1 hour' WHERE project_id <> 1",
	); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = d.sender.Send(ctx)
	}()
	<-reached
	d.db.Travel(time.Hour)
	for len(d.slack.all()) == 0 {
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ended:
			t.Fatal("the hanging delivery ended first")
		}
	}
	stop()
	<-ended
}

// Two servers at once, one of which dies: what it had leased is sent by the
// other a minute later, and everything else exactly once.
func TestManyServersSendEachMessageOnce(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.everywhere()
	d.miss("default", key(1), key(2), key(3))
	if _, err := d.store.Projects.Alerts.Gather(t.Context()); err != nil {
		t.Fatal(err)
	}
	leased, err := d.store.Projects.Alerts.Due(t.Context(), 1)
	if err != nil || len(leased) != 1 {
		t.Fatalf("leased %v, %v", leased, err)
	}
	var group sync.WaitGroup
	for range 6 {
		group.Go(func() {
			if _, err := alerts.New(d.deps, d.smtp).Send(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	d.send()
	if n := len(d.mail.all()) + len(d.slack.all()) + len(d.webhook.all()); n != 2 {
		t.Errorf("%d messages, want those two that nobody had leased", n)
	}
	d.db.Travel(61 * time.Second)
	if n := d.send(); n != 1 {
		t.Errorf("%d deliveries after the lease", n)
	}
	if done, err := d.store.Projects.Alerts.Mark(
		t.Context(),
		leased[0],
		projects.AlertVerdict{Problem: "too late", RetryIn: time.Minute},
	); done ||
		err != nil {
		t.Errorf("a stale lease was recorded: %v, %v", done, err)
	}
	if len(d.mail.all()) != 1 || len(d.slack.all()) != 1 || len(d.webhook.all()) != 1 {
		t.Errorf("%d letters, %d texts, %d webhooks", len(d.mail.all()), len(d.slack.all()), len(d.webhook.all()))
	}
	if d.entries(key(3)) != 1 {
		t.Errorf("%d alert entries", d.entries(key(3)))
	}
}
