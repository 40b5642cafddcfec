package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/sendpromptly/sendpromptly/engine"
)

type showCommand struct {
	ID   string `arg:"" help:"The incident."`
	JSON bool   `help:"Print JSON."`
}

// Run tells an incident's timeline.
func (c showCommand) Run(s *session) error {
	e, done, err := s.engineOf(c.ID)
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
		list := make([]entryJSON, len(entries))
		for i, entry := range entries {
			list[i] = newEntryJSON(entry)
		}
		return sayJSON(s.stdout, map[string]any{"incident": newIncidentJSON(incident), "timeline": list})
	}
	say(s.stdout, "%s %s is %s", strong.Render("incident"), incident.ID, stateStyle(incident.State))
	for _, line := range [][2]string{
		{"owed", incident.Effect + " for " + strings.TrimSpace(incident.EventType+" "+incident.EventID) + " (" + incident.Provider + ")"},
		{"to", incident.Subject}, {"customer", incident.Customer}, {"amount", money(incident.Amount)}, {"shop", incident.Shop},
		{"objects", strings.Join(incident.Objects, " ")}, {"version", incident.Acceptance.Version},
		{"cause", string(incident.Cause)}, {"error", incident.ErrorMessage}, {"due", moment(incident.DueAt)}, {"note", incident.Note},
	} {
		if line[1] != "" {
			say(s.stdout, "  %-9s %s", line[0], printable(line[1]))
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
	"receipt": "the app took the work on", "duplicate": "the same event was received again", "mismatch": "received again with other facts",
	"success": "the effect was applied", "failure": "an attempt failed", "deadline": "the deadline passed without an outcome",
	"opened": "incident opened", "reprocess": "reprocess asked for", "callback": "repair callback", "accepted": "the repair endpoint took it on",
	"gave_up": "the callback gave up", "stopped": "the attempt was stopped", "resolved": "incident resolved", "closed": "incident closed",
	"reopened": "incident reopened", "note": "note", "alert": "alert sent", "proof": "proof link issued", "erased": "personal data erased",
}

// entryLine is one line of a timeline.
func entryLine(entry engine.Entry) string {
	number := "  ·"
	if entry.Seq > 0 {
		number = fmt.Sprintf("%3d", entry.Seq)
	}
	parts := []string{quiet.Render(number), entry.At.UTC().Format("2006-01-02 15:04:05.000Z"), strong.Render(fmt.Sprintf("%-10s", entry.Kind)), sentences[entry.Kind]}
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
			parts = append(parts, quiet.Render("("+printable(text)+")"))
		}
	}
	if entry.Actor != "" {
		parts = append(parts, "by "+printable(string(entry.Actor)))
	}
	return strings.Join(parts, " ")
}

// entryJSON is a timeline entry as the command line prints it.
type entryJSON struct {
	Seq          int             `json:"seq"`
	Kind         engine.Kind     `json:"kind"`
	At           time.Time       `json:"at"`
	State        engine.State    `json:"state,omitempty"`
	Cause        engine.Cause    `json:"cause,omitempty"`
	Actor        engine.Operator `json:"actor,omitempty"`
	ReplayID     string          `json:"replay_id,omitempty"`
	ErrorCode    string          `json:"error_code,omitempty"`
	ErrorMessage string          `json:"error_message,omitempty"`
	Note         string          `json:"note,omitempty"`
	URL          string          `json:"url,omitempty"`
	Status       int             `json:"status,omitempty"`
	DurationMS   int64           `json:"duration_ms,omitempty"`
	Answer       string          `json:"answer,omitempty"`
}

func newEntryJSON(e engine.Entry) entryJSON {
	return entryJSON{Seq: e.Seq, Kind: e.Kind, At: e.At, State: e.State, Cause: e.Cause, Actor: e.Actor, ReplayID: e.ReplayID, ErrorCode: e.ErrorCode,
		ErrorMessage: e.ErrorMessage, Note: e.Note, URL: e.URL, Status: e.Status, DurationMS: e.Duration.Milliseconds(), Answer: e.Answer}
}
