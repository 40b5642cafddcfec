package alerts_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
	"github.com/sendpromptly/sendpromptly/internal/store/projects"
)

func TestAnIncidentIsToldOnceToEachDestination(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	secret := d.everywhere()
	d.miss("default", key(1), key(2))
	incident := d.db.RequireIncident(key(1), engine.CauseMissing)
	if n := d.send(); n != 3 {
		t.Errorf("%d deliveries, want 3", n)
	}
	link := "https://ops.example.com/sp/incidents/" + string(incident.ID)
	letters, texts, hooks := d.mail.all(), d.slack.all(), d.webhook.all()
	if len(letters) != 1 || len(texts) != 1 || len(hooks) != 1 {
		t.Fatalf("%d letters, %d texts, %d webhooks", len(letters), len(texts), len(hooks))
	}
	if strings.Join(letters[0].to, " ") != "ada@example.com bob@example.com" ||
		!strings.Contains(letters[0].text, "default: 2 incidents (2 missing)") {
		t.Errorf("letter: %+v", letters[0])
	}
	for name, text := range map[string]string{"mail": unfold(letters[0].text), "slack": texts[0].body, "webhook": hooks[0].body} {
		if !strings.Contains(text, link) || !strings.Contains(text, "credit_grant") || strings.Contains(text, "MARKER") ||
			strings.Contains(text, "4242") {
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
	if _, err := enginetest.Seal(t.Context(), d.engine("default")); err != nil {
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
	if want := "v1," + base64.StdEncoding.EncodeToString(
		h.Sum(nil),
	); r.header.Get("Webhook-Signature") != want ||
		r.header.Get("Webhook-Id") == "" {
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
		if err := pgx.BeginFunc(
			t.Context(),
			d.db.Pool,
			func(tx pgx.Tx) error { return e.Succeed(t.Context(), tx, key(n)) },
		); err != nil {
			t.Fatal(err)
		}
	}
	succeed(1)
	d.db.Travel(121 * time.Second)
	// One more resolves between gathering and claiming.
	if _, err := d.store.Projects.Alerts.Gather(t.Context()); err != nil {
		t.Fatal(err)
	}
	succeed(2)
	if n := d.send(); n != 3 {
		t.Errorf("%d deliveries, want 3", n)
	}
	if got := d.slack.all(); len(got) != 1 || !strings.Contains(got[0].body, "1 incident (1 failed)") ||
		strings.Contains(got[0].body, "MARKER") {
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
	d.set(projects.Settings{AlertWebhook: &d.webhook.url})
	if _, err := d.db.Pool.Exec(
		t.Context(),
		"UPDATE sendpromptly.projects SET repair_url = 'https://shop.example/repair'",
	); err != nil {
		t.Fatal(err)
	}
	e := d.engine("default")
	d.miss("default", key(1), key(2))
	var incidents []engine.IncidentID
	for n := 1; n <= 2; n++ {
		incidents = append(incidents, d.db.RequireIncident(key(n), engine.CauseMissing).ID)
		if err := e.CloseIncident(t.Context(), incidents[n-1], "ada", "by mistake"); err != nil {
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
	d.set(projects.Settings{AlertSlack: &d.slack.url, AlertWebhook: &d.webhook.url})
	d.slack.answer(500, nil)
	d.webhook.answer(500, nil)
	d.miss("default", key(1))
	d.send()
	empty := ""
	d.set(projects.Settings{AlertSlack: &empty})
	d.db.Travel(31 * time.Second)
	due, err := d.store.Projects.Alerts.Due(t.Context(), 10)
	if err != nil || len(due) != 1 {
		t.Fatalf("due: %v, %v", due, err)
	}
	if done, err := d.store.Projects.Alerts.Mark(t.Context(), due[0], projects.AlertVerdict{Dropped: true}); !done || err != nil {
		t.Fatalf("%v, %v", done, err)
	}
	var states string
	if err := d.db.Pool.QueryRow(t.Context(), "SELECT string_agg(state, ' ') FROM sendpromptly.alerts").
		Scan(&states); err != nil ||
		states != "dropped dropped" {
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
		keys = append(
			keys,
			engine.Key{
				Provider: "stripe",
				EventID:  fmt.Sprintf("evt_%d", n),
				Effect:   fmt.Sprintf("effect_%d_<b>&_%s", n%150, strings.Repeat("x", 40)),
			},
		)
	}
	d.miss("default", keys...)
	if n := d.send(); n != 3 {
		t.Errorf("%d deliveries, want 3", n)
	}
	var slack struct{ Text string }
	if err := json.Unmarshal([]byte(d.slack.all()[0].body), &slack); err != nil {
		t.Fatal(err)
	}
	if len(slack.Text) > 3000 || !strings.Contains(slack.Text, "default: 5000 incidents (5000 missing)") ||
		strings.Contains(slack.Text, "<b>") ||
		!strings.Contains(slack.Text, "incidents of other kinds") ||
		!strings.HasSuffix(slack.Text, "incidents?project=default") {
		t.Errorf("%d bytes: %s", len(slack.Text), slack.Text)
	}
	var hook struct {
		Count     int
		Groups    []any
		Incidents []any
	}
	if err := json.Unmarshal(
		[]byte(d.webhook.all()[0].body),
		&hook,
	); err != nil || hook.Count != 5000 || len(hook.Groups) != 100 ||
		len(hook.Incidents) != 100 {
		t.Errorf("webhook: %d of %d groups and %d incidents, %v", hook.Count, len(hook.Groups), len(hook.Incidents), err)
	}
	if len(d.mail.all()[0].text) > 40_000 {
		t.Error("the letter is too long")
	}
}

// What was sent is kept for a month, and what nobody will ever send for a week.
func TestOldMessagesArePurged(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.everywhere()
	if _, _, err := d.store.Projects.Create(t.Context(), "silent", projects.Settings{}, loopback, "ada"); err != nil {
		t.Fatal(err)
	}
	d.miss("default", key(1))
	d.send()
	d.miss("silent", key(1))
	rows := func() (n int) {
		if err := d.db.Pool.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM sendpromptly.alerts) + (SELECT count(*)
			FROM sendpromptly.alert_incidents)
			+ (SELECT count(*) FROM sendpromptly.outbox)`).
			Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	for _, step := range []struct {
		after time.Duration
		rows  int
	}{{0, 5}, {6 * 24 * time.Hour, 5}, {2 * 24 * time.Hour, 4}, {23 * 24 * time.Hour, 0}} {
		d.db.Travel(step.after)
		if _, err := enginetest.Purge(t.Context(), d.engine("default")); err != nil {
			t.Fatal(err)
		}
		if n := rows(); n != step.rows {
			t.Errorf("%d rows, want %d", n, step.rows)
		}
	}
}
