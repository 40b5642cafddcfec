package opened_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/sendpromptly/sendpromptly/internal/opened"
)

// Up to ten incidents are told one by one, more in one line, none in none; and a logger that panics ends nobody.
func TestIncidentsAreToldOneByOneUpToTen(t *testing.T) {
	t.Parallel()
	const told = `[{"project":"billing","incident_id":"i","effect_id":"e","provider":"stripe","event_id":"in_1",` +
		`"effect":"credit_grant","cause":"failed"}]`
	say := func(o opened.Incidents) []string {
		var out bytes.Buffer
		o.Say(t.Context(), slog.New(slog.NewTextHandler(&out, nil)))
		return strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	}
	const line = `level=WARN msg="sendpromptly: an incident opened" project=billing incident_id=i effect_id=e ` +
		`provider=stripe event_id=in_1 effect=credit_grant cause=failed`
	if got := say(opened.Failure(told)); len(got) != 1 || !strings.HasSuffix(got[0], line) {
		t.Errorf("one: %q", got)
	}
	if got := say(opened.Failure("")); len(got) != 1 || got[0] != "" {
		t.Errorf("none: %q", got)
	}
	many := opened.Failure(told)
	for range 9 {
		many.Hear(told)
	}
	many.Failed, many.Missing = 4, 6
	if got := say(many); len(got) != 10 {
		t.Errorf("ten: %q", got)
	}
	many.Missing = 7
	many.Hear("") // a batch that is too long to list
	const counts = `msg="sendpromptly: incidents opened" opened=11 missing=7 failed=4`
	if got := say(many); len(got) != 1 || !strings.HasSuffix(got[0], counts) {
		t.Errorf("eleven: %q", got)
	}
	many.Say(t.Context(), nil)
}
