package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/sendpromptly/sendpromptly/cmd/spadmin/cli"
	"github.com/sendpromptly/sendpromptly/cmd/spadmin/colour"
	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/wire"
)

// shownJSON is the output of show --json: the shapes of the admin API.
type shownJSON struct {
	Incident wire.Incident `json:"incident"`
	Timeline []wire.Entry  `json:"timeline"`
}

type showCommand struct {
	ID   string `arg:"" help:"The incident."`
	JSON bool   `help:"Print JSON."`
}

// Run prints an incident and its timeline.
func (c showCommand) Run(s *cli.Session) error {
	project, e, done, err := s.EngineOf(c.ID)
	if err != nil {
		return err
	}
	defer done()
	incident, err := e.Incident(s.Context, engine.IncidentID(c.ID))
	if err != nil {
		return err
	}
	entries, err := timeline(s, e, incident.EffectID)
	if err != nil {
		return err
	}
	if c.JSON {
		return cli.SayJSON(s.Stdout, shownJSON{wire.NewIncident(project, incident), wire.List(entries, wire.NewEntry)})
	}
	event := strings.TrimSpace(incident.EventType + " " + incident.EventID)
	cli.Say(s.Stdout, "%s %s is %s", colour.Strong.Render("incident"), incident.ID, cli.IncidentState(incident))
	for _, line := range [][2]string{
		{"owed", fmt.Sprintf("%s for %s (%s)", incident.Effect, event, incident.Provider)},
		{"reference", incident.Subject},
		{"customer", incident.Customer},
		{"amount", money(incident.Amount)},
		{"merchant", incident.Merchant},
		{"source event", incident.SourceEvent},
		{"objects", strings.Join(incident.Objects, " ")},
		{"version", incident.Acceptance.Version},
		{"cause", string(incident.Cause)},
		{"error", incident.ErrorMessage},
		{"attempt due", cli.Moment(incident.DueAt)},
		{"note", incident.Note},
	} {
		if line[1] != "" {
			cli.Say(s.Stdout, "  %-12s %s", line[0], cli.Printable(line[1]))
		}
	}
	cli.Say(s.Stdout, "")
	for _, entry := range entries {
		cli.Say(s.Stdout, "%s", entryLine(entry))
	}
	return nil
}

// timeline reads all pages.
func timeline(s *cli.Session, e *engine.Engine, id engine.EffectID) ([]engine.Entry, error) {
	var entries []engine.Entry
	for from := int64(0); ; {
		page, err := e.Timeline(s.Context, id, from)
		if err != nil {
			return nil, err
		}
		entries = append(entries, page.Entries...)
		if from = page.Next; from == 0 {
			return entries, nil
		}
	}
}

// sentences describe each kind of entry.
var sentences = map[engine.Kind]string{
	"receipt":   "the app accepted the job",
	"duplicate": "the same event was received again",
	"mismatch":  "the event was received again with different facts",
	"success":   "the effect was applied",
	"failure":   "the app reported a failure",
	"deadline":  "the deadline passed without an outcome",
	"opened":    "incident opened",
	"reprocess": "reprocess requested",
	"callback":  "repair callback",
	"accepted":  "the repair endpoint accepted the job",
	"gave_up":   "the callback failed and will not be retried",
	"stopped":   "the attempt was stopped",
	"resolved":  "incident resolved",
	"closed":    "incident closed",
	"reopened":  "incident reopened",
	"note":      "note",
	"alert":     "alert sent",
	"proof":     "proof link issued",
	"erased":    "personal data erased",
}

// entryLine is one line of a timeline.
func entryLine(entry engine.Entry) string {
	number := "  ·"
	if entry.Seq > 0 {
		number = fmt.Sprintf("%3d", entry.Seq)
	}
	parts := []string{
		colour.Quiet.Render(number),
		entry.At.UTC().Format("2006-01-02 15:04:05.000Z"),
		colour.Strong.Render(fmt.Sprintf("%-10s", entry.Kind)),
		sentences[entry.Kind],
	}
	if entry.State != "" {
		parts = append(parts, "→ "+cli.StateStyle(entry.State))
	}
	if entry.Kind == engine.KindCallback {
		status := "no answer"
		if entry.Status > 0 {
			status = fmt.Sprintf("answered %d", entry.Status)
		}
		parts = append(parts, fmt.Sprintf("%s in %s", status, entry.Duration.Round(time.Millisecond)))
	}
	for _, text := range []string{entry.Note, entry.ErrorCode, entry.ErrorMessage} {
		if text != "" {
			parts = append(parts, colour.Quiet.Render("("+cli.Printable(text)+")"))
		}
	}
	if entry.Actor != "" {
		parts = append(parts, "by "+cli.Printable(string(entry.Actor)))
	}
	return strings.Join(parts, " ")
}
