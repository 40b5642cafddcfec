package demo

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/engine"
)

// The whole story, once: every cause is seen, every effect comes back, and
// nothing of it stays behind.
func TestTheStory(t *testing.T) {
	t.Parallel()
	var story bytes.Buffer
	stage, err := Open(t.Context(), Options{Story: &story, Logger: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	report, err := stage.Tell(t.Context())
	if err != nil {
		t.Error(err)
		var missing *MissingError
		if errors.As(err, &missing) {
			t.Error(strings.Join(missing.Steps, "\n"))
		}
	}
	requireConsole(t, stage, report)
	if err := stage.Close(); err != nil {
		t.Error(err)
	}
	t.Log("\n" + story.String())
	checkReport(t, report)
	for _, line := range strings.Split(story.String(), "\n") {
		if strings.ContainsRune(line, '\x1b') {
			t.Errorf("colour in a file: %q", line)
		}
		if len([]rune(line)) > 120 && !strings.HasPrefix(line, "http") {
			t.Errorf("a long line: %s", line)
		}
	}
	if conn, err := pgx.Connect(t.Context(), stage.DatabaseURL); err == nil {
		conn.Close(t.Context())
		t.Error("the demo's database is still there")
	}
}

// want lists what the scenes leave in the report, in their order.
var want = []struct {
	eventType, effect string
	cause             engine.Cause
	kinds             string
}{
	{
		"checkout.session.completed",
		"access_unlock",
		engine.CauseMissing,
		"receipt deadline opened reprocess success resolved callback",
	},
	{"orders/paid", "access_unlock", engine.CauseMissing, "receipt deadline opened reprocess callback success resolved"},
	{"invoice.paid", "credit_grant", engine.CauseFailed, "receipt failure opened reprocess success resolved callback"},
	{
		"customers/create",
		"access_unlock",
		engine.CauseMissing,
		"receipt duplicate deadline opened reprocess callback success resolved",
	},
	{
		"customer.subscription.updated", "subscription_state_apply", engine.CauseFailed,
		"receipt failure opened reprocess note callback success resolved callback",
	},
	{"orders/fulfilled", "access_unlock", engine.CauseMissing, "receipt deadline opened success resolved"},
}

func checkReport(t *testing.T, report Report) {
	t.Helper()
	if report.Effects != 26 || !report.Verify.OK || len(report.Incidents) != len(want) {
		t.Fatalf("report: %d effects, %d incidents, verify %v", report.Effects, len(report.Incidents), report.Verify.OK)
	}
	for n, i := range report.Incidents {
		var kinds []string
		for place, entry := range i.Timeline {
			// A worker that is faster than the answer's way back leaves no "accepted".
			if entry.Kind != "accepted" {
				kinds = append(kinds, string(entry.Kind))
			}
			if entry.Seq != place+1 || entry.At.IsZero() {
				t.Errorf("%s: entry %d is %+v", i.EventType, place+1, entry)
			}
		}
		if i.EventType != want[n].eventType || i.EffectType != want[n].effect || i.Cause != want[n].cause {
			t.Errorf("incident %d: %s %s %s, want %+v", n+1, i.EventType, i.EffectType, i.Cause, want[n])
		}
		// The callback's answer and the work run side by side: any order will do.
		expected := strings.Fields(want[n].kinds)
		slices.Sort(expected)
		if sorted := slices.Sorted(slices.Values(kinds)); !slices.Equal(sorted, expected) {
			t.Errorf("%s: timeline %v, want %s", i.EventType, kinds, want[n].kinds)
		}
		if i.ResolvedAt == nil || i.ResolvedAt.Before(i.OpenedAt) {
			t.Errorf("%s: opened %v, resolved %v", i.EventType, i.OpenedAt, i.ResolvedAt)
		}
	}
}

// A shop that forgot to mount one of its repair endpoints: the demo says which
// steps that cost, and tells the rest.
func TestABrokenShopIsNotApplauded(t *testing.T) {
	t.Parallel()
	forgotten := func(shop http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == repairPath(billing) {
				http.NotFound(w, r)
				return
			}
			shop.ServeHTTP(w, r)
		})
	}
	stage, err := Open(t.Context(), Options{wrap: forgotten})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := stage.Close(); err != nil {
			t.Error(err)
		}
	}()
	report, err := stage.Tell(t.Context())
	var missing *MissingError
	if !errors.As(err, &missing) {
		t.Fatalf("Tell = %v, want a MissingError", err)
	}
	t.Log(strings.Join(missing.Steps, "\n"))
	for _, step := range []string{
		"No worker is running: the repair endpoint answered callback 1 with 404, want 200",
		"The database rejects the write after the webhook was answered: the repair endpoint answered callback 1 with 404, want 200",
		"The account does not exist yet: the repair endpoint answered callback 1 with 404, want 503",
	} {
		if !slices.Contains(missing.Steps, step) {
			t.Errorf("not named: %s", step)
		}
	}
	for _, step := range missing.Steps {
		if strings.HasPrefix(step, "The worker dies") || strings.HasPrefix(step, "The shop's own") ||
			strings.HasPrefix(step, "The success") {
			t.Errorf("this went well: %s", step)
		}
	}
	resolved := 0
	for _, i := range report.Incidents {
		if i.ResolvedAt != nil {
			resolved++
		}
	}
	// The workers of the first scene are back, and do by themselves what the repair did not.
	if len(report.Incidents) != 6 || resolved != 4 {
		t.Errorf("%d incidents, %d resolved, want 6 and 4", len(report.Incidents), resolved)
	}
}
