package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/sendpromptly/sendpromptly/cmd/spadmin/colour"
	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/wire"
)

// shownJSON is what show prints: what the admin API answers about an incident and its timeline.
type shownJSON struct {
	Incident wire.Incident `json:"incident"`
	Timeline []wire.Entry  `json:"timeline"`
}

type showCommand struct {
	ID   string `arg:"" help:"The incident."`
	JSON bool   `help:"Print JSON."`
}

// Run tells an incident's timeline.
func (c showCommand) Run(s *session) error {
	project, e, done, err := s.engineOf(c.ID)
	if err != nil {
		return err
	}
	defer done()
	incident, err := e.Incident(s.ctx, engine.IncidentID(c.ID))
	if err != nil {
		return err
	}
	entries, err := timeline(s, e, incident.EffectID)
	if err != nil {
		return err
	}
	if c.JSON {
		return sayJSON(s.stdout, shownJSON{wire.NewIncident(project, incident), wire.List(entries, wire.NewEntry)})
	}
	say(s.stdout, "%s %s is %s", colour.Strong.Render("incident"), incident.ID, incidentState(incident))
	for _, line := range [][2]string{
		{"owed", incident.Effect + " for " + strings.TrimSpace(incident.EventType+" "+incident.EventID) + " (" + incident.Provider + ")"},
		{"to", incident.Subject},
		{"customer", incident.Customer},
		{"amount", money(incident.Amount)},
		{"merchant", incident.Merchant},
		{"source event", incident.SourceEvent},
		{"objects", strings.Join(incident.Objects, " ")},
		{"version", incident.Acceptance.Version},
		{"cause", string(incident.Cause)},
		{"error", incident.ErrorMessage},
		{"due", moment(incident.DueAt)},
		{"note", incident.Note},
	} {
		if line[1] != "" {
			say(s.stdout, "  %-12s %s", line[0], printable(line[1]))
		}
	}
	say(s.stdout, "")
	for _, entry := range entries {
		say(s.stdout, "%s", entryLine(entry))
	}
	return nil
}

// timeline reads all pages.
func timeline(s *session, e *engine.Engine, id engine.EffectID) ([]engine.Entry, error) {
	var entries []engine.Entry
	for from := int64(0); ; {
		page, err := e.Timeline(s.ctx, id, from)
		if err != nil {
			return nil, err
		}
		entries = append(entries, page.Entries...)
		if from = page.Next; from == 0 {
			return entries, nil
		}
	}
}

// sentences say in plain words what each kind of entry means.
var sentences = map[engine.Kind]string{
	"receipt":   "the app took the work on",
	"duplicate": "the same event was received again",
	"mismatch":  "received again with other facts",
	"success":   "the effect was applied",
	"failure":   "an attempt failed",
	"deadline":  "the deadline passed without an outcome",
	"opened":    "incident opened",
	"reprocess": "reprocess asked for",
	"callback":  "repair callback",
	"accepted":  "the repair endpoint took it on",
	"gave_up":   "the callback gave up",
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
		parts = append(parts, "→ "+stateStyle(entry.State))
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
			parts = append(parts, colour.Quiet.Render("("+printable(text)+")"))
		}
	}
	if entry.Actor != "" {
		parts = append(parts, "by "+printable(string(entry.Actor)))
	}
	return strings.Join(parts, " ")
}
