package alerts_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sendpromptly/sendpromptly/adminserver/internal/alerts"
	"github.com/sendpromptly/sendpromptly/adminserver/internal/mail"
	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/store/projects"
	"github.com/sendpromptly/sendpromptly/internal/store/rooms"
)

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

func TestDestinationsAreSealedAndNeverListed(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	secret := d.everywhere()
	var rows string
	if err := d.db.Pool.QueryRow(
		t.Context(),
		"SELECT string_agg(encode(target, 'escape') || coalesce(encode(secret, 'escape'), '') || shown || sealed, ' ') "+
			"FROM sendpromptly.alert_destinations",
	).
		Scan(&rows); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(rows, "secret-path") || strings.Contains(rows, "whsec_") || strings.Contains(rows, "false") {
		t.Errorf("stored: %s", rows)
	}
	project, err := d.store.Projects.Get(t.Context(), "default")
	if err != nil || project.AlertEmail != "ada@example.com, bob@example.com" ||
		!strings.HasPrefix(d.slack.url, "http://"+project.AlertSlack+"/") ||
		project.AlertWebhookSecret != "" {
		t.Errorf("%+v, %v", project, err)
	}
	// A new URL keeps the secret; clearing ends it.
	if again := d.everywhere(); again != "" || secret == "" {
		t.Error("setting the URL again made another secret")
	}
	empty := ""
	d.set(projects.Settings{AlertWebhook: &empty})
	if again := d.everywhere(); again == "" || again == secret {
		t.Error("a webhook set anew has the old secret")
	}
	blind, err := rooms.Open(d.db.Pool, base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := blind.Projects.Destinations(
		t.Context(),
		"default",
	); err == nil ||
		!strings.Contains(err.Error(), "SENDPROMPTLY_SECRET_KEY") {
		t.Errorf("with another key: %v", err)
	}
	for field, settings := range map[string]projects.Settings{
		"alert_email": {AlertEmail: pointer("nobody")}, "alert_slack": {AlertSlack: pointer("http://192.168.1.1/x")},
		"alert_webhook":       {AlertWebhook: pointer("hook")},
		"alert_after_failed":  {AlertAfterFailed: pointer(-time.Second)},
		"alert_after_missing": {AlertAfterMissing: pointer(8 * 24 * time.Hour)},
	} {
		var wrong *engine.FieldError
		if _, err := d.store.Projects.Set(
			t.Context(),
			"default",
			settings,
			loopback,
			"ada",
		); !errors.As(err, &wrong) ||
			wrong.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
}

func TestATestMessageReachesEachDestinationAndSaysWhichItDidNot(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	var field *engine.FieldError
	if _, err := d.sender.Test(t.Context(), "default"); !errors.As(err, &field) {
		t.Errorf("without a destination: %v", err)
	}
	if _, err := d.sender.Test(t.Context(), "nobody"); !errors.Is(err, engine.ErrNotFound) {
		t.Errorf("without a project: %v", err)
	}
	secret := d.everywhere()
	d.slack.answer(500, nil)
	results, err := d.sender.Test(t.Context(), "default")
	if err != nil || len(results) != 3 {
		t.Fatalf("%v, %v", results, err)
	}
	for _, r := range results {
		if r.OK != (r.Channel != projects.AlertSlack) || r.OK != (r.Error == "") {
			t.Errorf("%+v", r)
		}
	}
	requireSignature(t, d.webhook.all()[0], secret)
	if len(d.mail.all()) != 1 || !strings.Contains(d.mail.all()[0].text, "This is a test") {
		t.Error("no letter came")
	}
	results, err = alerts.New(d.deps, mail.SMTP{}).Test(t.Context(), "default")
	if err != nil || results[0].Channel != projects.AlertEmail || !strings.Contains(results[0].Error, "no mail server") {
		t.Errorf("without a mail server: %v, %v", results, err)
	}
}
