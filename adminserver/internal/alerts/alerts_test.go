package alerts_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/adminserver/internal/alerts"
	"github.com/sendpromptly/sendpromptly/adminserver/internal/mail"
	"github.com/sendpromptly/sendpromptly/adminserver/internal/web"
	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
	"github.com/sendpromptly/sendpromptly/engine/store"
)

const secretKey = "dGVzdCBzZWNyZXQga2V5IG9mIDMyIGJ5dGVzIGxvbmc="

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

// desk is a database with a sender, a mail server and two endpoints.
type desk struct {
	t       *testing.T
	db      *enginetest.Database
	store   *store.Store
	sender  *alerts.Sender
	mail    *mailServer
	slack   *endpoint
	webhook *endpoint
	log     *bytes.Buffer
	deps    web.Deps
	smtp    mail.SMTP
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{t: t, db: enginetest.New(t), mail: newMailServer(t), slack: newEndpoint(t), webhook: newEndpoint(t), log: &bytes.Buffer{}}
	var err error
	if d.store, err = store.New(d.db.Pool, secretKey); err != nil {
		t.Fatal(err)
	}
	base, err := web.ParseBase("https://ops.example.com/sp")
	if err != nil {
		t.Fatal(err)
	}
	d.deps = web.Deps{Base: base, Store: d.store, AllowNetworks: loopback, Logger: slog.New(slog.NewTextHandler(io.MultiWriter(t.Output(), d.log), nil))}
	d.smtp = mail.SMTP{Address: d.mail.address, From: "alerts@example.com", Plain: true}
	d.sender = alerts.New(d.deps, d.smtp)
	return d
}

// set changes the default project and returns its new webhook secret, if any.
func (d *desk) set(settings store.ProjectSettings) string {
	d.t.Helper()
	project, err := d.store.SetProject(d.t.Context(), "default", settings, loopback, "ada")
	if err != nil {
		d.t.Fatal(err)
	}
	return project.AlertWebhookSecret
}

// everywhere sends the default project's alerts on all channels.
func (d *desk) everywhere() string {
	d.t.Helper()
	people := "ada@example.com, bob@example.com"
	return d.set(store.ProjectSettings{AlertEmail: &people, AlertSlack: &d.slack.url, AlertWebhook: &d.webhook.url})
}

func (d *desk) engine(project string) *engine.Engine {
	return d.db.Engine(engine.Config{Project: project})
}

// accept accepts effects and lets their deadline pass.
func (d *desk) miss(project string, keys ...engine.Key) {
	d.t.Helper()
	e := d.engine(project)
	var list []engine.Acceptance
	for _, key := range keys {
		list = append(list, engine.Acceptance{Key: key, EventType: "invoice.paid", Subject: "SUBJECTMARKER", Customer: "CUSTOMERMARKER", Version: "VERSIONMARKER",
			Objects: []string{"OBJECTMARKER"}, Amount: engine.Money{Amount: 424242, Currency: "EUR"}})
	}
	err := pgx.BeginFunc(d.t.Context(), d.db.Pool, func(tx pgx.Tx) error {
		_, err := e.AcceptMany(d.t.Context(), tx, list)
		return err
	})
	if err != nil {
		d.t.Fatal(err)
	}
	d.db.Travel(31 * time.Minute)
	if n, err := e.Sweep(d.t.Context()); err != nil || n != len(keys) {
		d.t.Fatalf("swept %d, %v", n, err)
	}
}

func (d *desk) send() int {
	d.t.Helper()
	n, err := d.sender.Send(d.t.Context())
	if err != nil {
		d.t.Fatal(err)
	}
	return n
}

func key(n int) engine.Key {
	return engine.Key{Provider: "stripe", EventID: fmt.Sprintf("evt_%d", n), Effect: "credit_grant"}
}

func (d *desk) entries(k engine.Key) int {
	d.t.Helper()
	kinds, err := d.db.Kinds(k)
	if err != nil {
		d.t.Fatal(err)
	}
	n := 0
	for _, kind := range kinds {
		if kind == "alert" {
			n++
		}
	}
	return n
}

func TestAnIncidentIsToldOnceToEachDestination(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	secret := d.everywhere()
	d.miss("default", key(1), key(2))
	incident := d.db.RequireIncident(key(1), engine.StateMissing)
	if n := d.send(); n != 3 {
		t.Errorf("%d deliveries, want 3", n)
	}
	link := "https://ops.example.com/sp/incidents/" + string(incident.ID)
	letters, texts, hooks := d.mail.all(), d.slack.all(), d.webhook.all()
	if len(letters) != 1 || len(texts) != 1 || len(hooks) != 1 {
		t.Fatalf("%d letters, %d texts, %d webhooks", len(letters), len(texts), len(hooks))
	}
	if strings.Join(letters[0].to, " ") != "ada@example.com bob@example.com" || !strings.Contains(letters[0].text, "default: 2 incidents (2 missing)") {
		t.Errorf("letter: %+v", letters[0])
	}
	for name, text := range map[string]string{"mail": unfold(letters[0].text), "slack": texts[0].body, "webhook": hooks[0].body} {
		if !strings.Contains(text, link) || !strings.Contains(text, "credit_grant") || strings.Contains(text, "MARKER") || strings.Contains(text, "4242") {
			t.Errorf("%s: %s", name, text)
		}
	}
	requireSignature(t, hooks[0], secret)
	if again := d.send(); again != 0 {
		t.Errorf("%d deliveries of what was told", again)
	}
	for _, k := range []engine.Key{key(1), key(2)} {
		if n := d.entries(k); n != 1 {
			t.Errorf("%s has %d alert entries", k, n)
		}
	}
	if _, err := d.engine("default").Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.db.RequireSound()
}

// unfold takes the line breaks of quoted-printable out.
func unfold(text string) string { return strings.ReplaceAll(text, "=\r\n", "") }

// requireSignature verifies a webhook by hand, as Standard Webhooks says.
func requireSignature(t *testing.T, r received, secret string) {
	t.Helper()
	raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil || !strings.HasPrefix(secret, "whsec_") {
		t.Fatalf("the secret has not its form: %v", err)
	}
	h := hmac.New(sha256.New, raw)
	h.Write([]byte(r.header.Get("Webhook-Id") + "." + r.header.Get("Webhook-Timestamp") + "." + r.body))
	if want := "v1," + base64.StdEncoding.EncodeToString(h.Sum(nil)); r.header.Get("Webhook-Signature") != want || r.header.Get("Webhook-Id") == "" {
		t.Errorf("signature %q, want %q", r.header.Get("Webhook-Signature"), want)
	}
}

func TestWhatResolvedMeanwhileWakesNobody(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.everywhere()
	e := d.engine("default")
	for _, n := range []int{1, 2, 3} {
		if err := pgx.BeginFunc(t.Context(), d.db.Pool, func(tx pgx.Tx) error {
			_, err := e.Accept(t.Context(), tx, engine.Acceptance{Key: key(n)})
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if err := e.Fail(t.Context(), key(n), errors.New("ERRORMARKER")); err != nil {
			t.Fatal(err)
		}
	}
	if n := d.send(); n != 0 {
		t.Errorf("%d deliveries before alert_after", n)
	}
	succeed := func(n int) {
		if err := pgx.BeginFunc(t.Context(), d.db.Pool, func(tx pgx.Tx) error { return e.Succeed(t.Context(), tx, key(n)) }); err != nil {
			t.Fatal(err)
		}
	}
	succeed(1)
	d.db.Travel(121 * time.Second)
	// One more resolves between gathering and claiming.
	if _, err := d.store.GatherAlerts(t.Context()); err != nil {
		t.Fatal(err)
	}
	succeed(2)
	if n := d.send(); n != 3 {
		t.Errorf("%d deliveries, want 3", n)
	}
	if got := d.slack.all(); len(got) != 1 || !strings.Contains(got[0].body, "1 incident (1 failed)") || strings.Contains(got[0].body, "MARKER") {
		t.Errorf("told: %v", got)
	}
	if d.entries(key(1)) != 0 || d.entries(key(2)) != 0 || d.entries(key(3)) != 1 {
		t.Error("the timelines do not say who was alerted")
	}
	succeed(3)
	d.db.RequireSound()
}

// An incident that was closed before anybody was told, and reopened later, is told when its repair had the time of a first try.
func TestAReopenedIncidentIsToldIfItStaysOpen(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.set(store.ProjectSettings{AlertWebhook: &d.webhook.url})
	if _, err := d.db.Pool.Exec(t.Context(), "UPDATE sendpromptly.projects SET repair_url = 'https://shop.example/repair'"); err != nil {
		t.Fatal(err)
	}
	e := d.engine("default")
	d.miss("default", key(1), key(2))
	var incidents []engine.IncidentID
	for n := 1; n <= 2; n++ {
		incidents = append(incidents, d.db.RequireIncident(key(n), engine.StateMissing).ID)
		if err := e.Close(t.Context(), incidents[n-1], "ada", "by mistake"); err != nil {
			t.Fatal(err)
		}
	}
	if n := d.send(); n != 0 {
		t.Errorf("%d deliveries about closed incidents", n)
	}
	for _, id := range incidents {
		if _, err := e.Reprocess(t.Context(), id, "ada"); err != nil {
			t.Fatal(err)
		}
	}
	d.db.Travel(time.Minute)
	err := pgx.BeginFunc(t.Context(), d.db.Pool, func(tx pgx.Tx) error { return e.Succeed(t.Context(), tx, key(2)) })
	if err != nil {
		t.Fatal(err)
	}
	if n := d.send(); n != 0 {
		t.Errorf("%d deliveries before the repair had its time", n)
	}
	d.db.Travel(time.Minute + time.Second)
	if n := d.send(); n != 1 || d.entries(key(1)) != 1 || d.entries(key(2)) != 0 {
		t.Errorf("%d deliveries, %d and %d alert entries", n, d.entries(key(1)), d.entries(key(2)))
	}
}

// Where nothing is left to tell, or nobody to be told, no timeline says that
// somebody was.
func TestWhatWasNotSentIsNotOnTheTimeline(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.set(store.ProjectSettings{AlertSlack: &d.slack.url, AlertWebhook: &d.webhook.url})
	d.slack.answer(500, nil)
	d.webhook.answer(500, nil)
	d.miss("default", key(1))
	d.send()
	empty := ""
	d.set(store.ProjectSettings{AlertSlack: &empty})
	d.db.Travel(31 * time.Second)
	due, err := d.store.DueAlerts(t.Context(), 10)
	if err != nil || len(due) != 1 {
		t.Fatalf("due: %v, %v", due, err)
	}
	if done, err := d.store.MarkAlerted(t.Context(), due[0], store.AlertVerdict{Dropped: true}); !done || err != nil {
		t.Fatalf("%v, %v", done, err)
	}
	var states string
	if err := d.db.Pool.QueryRow(t.Context(), "SELECT string_agg(state, ' ') FROM sendpromptly.alerts").Scan(&states); err != nil || states != "dropped dropped" {
		t.Errorf("%s, %v", states, err)
	}
	if n := d.entries(key(1)); n != 0 {
		t.Errorf("%d alert entries", n)
	}
}

// 5,000 incidents at once are one message that Slack takes.
func TestAStormIsOneMessageThatFits(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.everywhere()
	var keys []engine.Key
	for n := range 5000 {
		keys = append(keys, engine.Key{Provider: "stripe", EventID: fmt.Sprintf("evt_%d", n), Effect: fmt.Sprintf("effect_%d_<b>&_%s", n%150, strings.Repeat("x", 40))})
	}
	d.miss("default", keys...)
	if n := d.send(); n != 3 {
		t.Errorf("%d deliveries, want 3", n)
	}
	var slack struct{ Text string }
	if err := json.Unmarshal([]byte(d.slack.all()[0].body), &slack); err != nil {
		t.Fatal(err)
	}
	if len(slack.Text) > 3000 || !strings.Contains(slack.Text, "default: 5000 incidents (5000 missing)") || strings.Contains(slack.Text, "<b>") ||
		!strings.Contains(slack.Text, "incidents of other kinds") || !strings.HasSuffix(slack.Text, "incidents?project=default") {
		t.Errorf("%d bytes: %s", len(slack.Text), slack.Text)
	}
	var hook struct {
		Count     int
		Groups    []any
		Incidents []any
	}
	if err := json.Unmarshal([]byte(d.webhook.all()[0].body), &hook); err != nil || hook.Count != 5000 || len(hook.Groups) != 100 || len(hook.Incidents) != 100 {
		t.Errorf("webhook: %d of %d groups and %d incidents, %v", hook.Count, len(hook.Groups), len(hook.Incidents), err)
	}
	if len(d.mail.all()[0].text) > 40_000 {
		t.Error("the letter is too long")
	}
}

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
	if len(hooks) != 2 || hooks[0].header.Get("Webhook-Id") != hooks[1].header.Get("Webhook-Id") || len(d.mail.all()) != 1 || len(d.slack.all()) != 2 {
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
	d.set(store.ProjectSettings{AlertSlack: &d.slack.url})
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
	if err := d.db.Pool.QueryRow(t.Context(), "SELECT state, error FROM sendpromptly.alerts").Scan(&state, &problem); err != nil || state != "gave_up" || problem != "answered 404 Not Found" {
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
	d.set(store.ProjectSettings{AlertSlack: &hanging.URL})
	if _, _, err := d.store.CreateProject(t.Context(), "other", store.ProjectSettings{AlertSlack: &d.slack.url}, loopback, "ada"); err != nil {
		t.Fatal(err)
	}
	d.miss("default", key(1))
	d.miss("other", key(1))
	// The other project's alert becomes due when the first is on its way.
	if _, err := d.db.Pool.Exec(t.Context(), "UPDATE sendpromptly.outbox SET due_at = due_at + interval '1 hour' WHERE project_id <> 1"); err != nil {
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
	if _, err := d.store.GatherAlerts(t.Context()); err != nil {
		t.Fatal(err)
	}
	leased, err := d.store.DueAlerts(t.Context(), 1)
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
	if done, err := d.store.MarkAlerted(t.Context(), leased[0], store.AlertVerdict{Problem: "too late", RetryIn: time.Minute}); done || err != nil {
		t.Errorf("a stale lease was recorded: %v, %v", done, err)
	}
	if len(d.mail.all()) != 1 || len(d.slack.all()) != 1 || len(d.webhook.all()) != 1 {
		t.Errorf("%d letters, %d texts, %d webhooks", len(d.mail.all()), len(d.slack.all()), len(d.webhook.all()))
	}
	if d.entries(key(3)) != 1 {
		t.Errorf("%d alert entries", d.entries(key(3)))
	}
}

func TestAProjectWithoutADestinationKeepsNothingWaiting(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.miss("default", key(1))
	if n := d.send(); n != 0 {
		t.Errorf("%d deliveries", n)
	}
	d.everywhere()
	if n := d.send(); n != 0 {
		t.Errorf("%d deliveries of what was due before there was anybody to tell", n)
	}
}

// What was sent is kept for a month, and what nobody will ever send for a week.
func TestOldMessagesArePurged(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.everywhere()
	if _, _, err := d.store.CreateProject(t.Context(), "silent", store.ProjectSettings{}, loopback, "ada"); err != nil {
		t.Fatal(err)
	}
	d.miss("default", key(1))
	d.send()
	d.miss("silent", key(1))
	rows := func() (n int) {
		if err := d.db.Pool.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM sendpromptly.alerts) + (SELECT count(*) FROM sendpromptly.alert_incidents)
			+ (SELECT count(*) FROM sendpromptly.outbox)`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	for _, step := range []struct {
		after time.Duration
		rows  int
	}{{0, 5}, {6 * 24 * time.Hour, 5}, {2 * 24 * time.Hour, 4}, {23 * 24 * time.Hour, 0}} {
		d.db.Travel(step.after)
		if _, err := d.engine("default").Purge(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := rows(); n != step.rows {
			t.Errorf("%d rows, want %d", n, step.rows)
		}
	}
}

func TestDestinationsAreSealedAndNeverListed(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	secret := d.everywhere()
	var rows string
	if err := d.db.Pool.QueryRow(t.Context(), "SELECT string_agg(encode(target, 'escape') || coalesce(encode(secret, 'escape'), '') || shown || sealed, ' ') FROM sendpromptly.alert_destinations").Scan(&rows); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(rows, "secret-path") || strings.Contains(rows, "whsec_") || strings.Contains(rows, "false") {
		t.Errorf("stored: %s", rows)
	}
	project, err := d.store.Project(t.Context(), "default")
	if err != nil || project.AlertEmail != "ada@example.com, bob@example.com" || !strings.HasPrefix(d.slack.url, "http://"+project.AlertSlack+"/") || project.AlertWebhookSecret != "" {
		t.Errorf("%+v, %v", project, err)
	}
	// A new URL keeps the secret; clearing ends it.
	if again := d.everywhere(); again != "" || secret == "" {
		t.Error("setting the URL again made another secret")
	}
	empty := ""
	d.set(store.ProjectSettings{AlertWebhook: &empty})
	if again := d.everywhere(); again == "" || again == secret {
		t.Error("a webhook set anew has the old secret")
	}
	blind, err := store.New(d.db.Pool, base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := blind.AlertDestinations(t.Context(), "default"); err == nil || !strings.Contains(err.Error(), "SENDPROMPTLY_SECRET_KEY") {
		t.Errorf("with another key: %v", err)
	}
	for field, settings := range map[string]store.ProjectSettings{
		"alert_email": {AlertEmail: pointer("nobody")}, "alert_slack": {AlertSlack: pointer("http://192.168.1.1/x")}, "alert_webhook": {AlertWebhook: pointer("hook")},
		"alert_after_failed": {AlertAfterFailed: pointer(-time.Second)}, "alert_after_missing": {AlertAfterMissing: pointer(8 * 24 * time.Hour)},
	} {
		var wrong *engine.FieldError
		if _, err := d.store.SetProject(t.Context(), "default", settings, loopback, "ada"); !errors.As(err, &wrong) || wrong.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
}

func pointer[T any](v T) *T { return &v }

func TestATestMessageReachesEachDestinationAndSaysWhichItDidNot(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	var field *engine.FieldError
	if _, err := d.sender.Test(t.Context(), "default"); !errors.As(err, &field) {
		t.Errorf("without a destination: %v", err)
	}
	if _, err := d.sender.Test(t.Context(), "nobody"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("without a project: %v", err)
	}
	secret := d.everywhere()
	d.slack.answer(500, nil)
	results, err := d.sender.Test(t.Context(), "default")
	if err != nil || len(results) != 3 {
		t.Fatalf("%v, %v", results, err)
	}
	for _, r := range results {
		if r.OK != (r.Channel != store.AlertSlack) || r.OK != (r.Error == "") {
			t.Errorf("%+v", r)
		}
	}
	requireSignature(t, d.webhook.all()[0], secret)
	if len(d.mail.all()) != 1 || !strings.Contains(d.mail.all()[0].text, "This is a test") {
		t.Error("no letter came")
	}
	results, err = alerts.New(d.deps, mail.SMTP{}).Test(t.Context(), "default")
	if err != nil || results[0].Channel != store.AlertEmail || !strings.Contains(results[0].Error, "no mail server") {
		t.Errorf("without a mail server: %v, %v", results, err)
	}
}
