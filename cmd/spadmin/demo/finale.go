package demo

import (
	"context"
	"fmt"
	"strings"

	"charm.land/lipgloss/v2"

	"github.com/sendpromptly/sendpromptly/cmd/spadmin/colour"
	"github.com/sendpromptly/sendpromptly/engine"
)

// finale compares the engine's state with the shop's own tables and runs verify.
// It shows the incidents, one timeline and a proof, and returns what is wrong.
func (s *Stage) finale(ctx context.Context, scenes []*scene) (Report, []error) {
	if err := reached(ctx); err != nil {
		return Report{Incidents: []Incident{}}, []error{err}
	}
	s.tell.heading("The result")
	wrong := s.checkBooks(ctx)
	report, failures := s.report(ctx, scenes)
	wrong = append(wrong, failures...)
	ok, failures := s.verify(ctx)
	wrong = append(wrong, failures...)
	report.Verify.OK = ok
	s.tell.line("")
	s.table(scenes)
	for _, sc := range scenes {
		if sc.tried > 1 {
			wrong = append(wrong, sc.showTimeline(ctx))
		}
	}
	s.moral(scenes)
	if err := s.showProof(ctx, scenes, &report); err != nil {
		wrong = append(wrong, err)
	}
	return report, wrong
}

// checkBooks checks the shop's tables: every event applied exactly once, every
// account as expected.
func (s *Stage) checkBooks(ctx context.Context) []error {
	var wrong []error
	for _, e := range s.sent {
		n, err := s.books.TimesApplied(ctx, e.id)
		if err == nil && n != 1 {
			err = fmt.Errorf("%s of %s was applied %d times, want once", e.eventType, e.account, n)
		}
		if err != nil {
			wrong = append(wrong, err)
		}
	}
	for id, want := range s.expected {
		have, err := s.books.Account(ctx, id)
		if err == nil && have != want {
			err = fmt.Errorf("it is %+v, want %+v", have, want)
		}
		if err != nil {
			wrong = append(wrong, fmt.Errorf("account %s: %w", id, err))
		}
	}
	if len(wrong) == 0 {
		s.tell.voice(
			theShop,
			"%s %d effects, each applied exactly once; %d accounts, every balance correct",
			colour.Good.Render("✓"),
			len(s.sent),
			len(s.expected),
		)
	}
	return wrong
}

// verify runs the checks of spadmin verify.
func (s *Stage) verify(ctx context.Context) (ok bool, wrong []error) {
	verified, err := s.store.Checks.Verify(ctx, 0)
	if err != nil {
		return false, []error{err}
	}
	for _, check := range verified.Checks {
		if check.OK {
			s.tell.voice("spadmin verify", "%s %s", colour.Good.Render("✓"), check.Title)
			continue
		}
		s.tell.voice("spadmin verify", "%s %s", colour.Bad.Render("✗"), check.Title)
		wrong = append(wrong, fmt.Errorf("verify %s, %s: %s", check.ID, check.Title, strings.Join(check.Rows, "; ")))
	}
	return verified.OK, wrong
}

// table lists the incidents.
func (s *Stage) table(scenes []*scene) {
	row := func(style lipgloss.Style, cells ...string) {
		widths := []int{20, 29, 7, 9, 9, 0}
		for i := range cells {
			cells[i] = column(style.Render(cells[i]), widths[i])
		}
		s.tell.line("%s", strings.TrimRight(strings.Join(cells, "  "), " "))
	}
	row(colour.Quiet, "INCIDENT", "EVENT", "CAUSE", "OPENED", "RESOLVED", "HOW")
	for _, sc := range scenes {
		if sc.incident.ID == "" {
			continue
		}
		resolved := "open"
		if !sc.incident.ResolvedAt.IsZero() {
			resolved = s.tell.at(sc.incident.ResolvedAt)
		}
		row(
			lipgloss.NewStyle(),
			sc.short,
			sc.event.eventType,
			string(sc.incident.Cause),
			s.tell.at(sc.incident.OpenedAt),
			resolved,
			sc.how(),
		)
	}
}

// how says how the effect was repaired.
func (sc *scene) how() string {
	switch {
	case sc.incident.State != engine.StateApplied:
		return "not yet"
	case sc.incident.Attempt == 0:
		return "automatically"
	case sc.event.project() != billing:
		return "Reprocess, queued again"
	case sc.tried > 1:
		return "Reprocess, second try"
	}
	return "Reprocess, in the callback"
}

// moral compares what the providers and SendPromptly saw.
func (s *Stage) moral(scenes []*scene) {
	incidents, resolved := 0, 0
	for _, sc := range scenes {
		if sc.incident.ID != "" {
			incidents++
		}
		if sc.incident.State == engine.StateApplied {
			resolved++
		}
	}
	s.tell.line("")
	s.tell.line(
		"%s  %d events, each answered %s in the end.",
		column("What the providers' logs saw", 29),
		len(s.sent),
		colour.Good.Render("200 OK"),
	)
	s.tell.line("%s  %s %s", column("What SendPromptly saw", 29), colour.Bad.Render(fmt.Sprintf("%d incidents.", incidents)),
		colour.Good.Render(fmt.Sprintf("%d resolved, each effect applied exactly once.", resolved)))
}

// showTimeline prints the timeline of one incident.
func (sc *scene) showTimeline(ctx context.Context) error {
	entries, err := sc.timeline(ctx)
	if err != nil {
		return err
	}
	sc.tell.line("")
	sc.tell.line(
		"%s  %s",
		colour.Strong.Render("The timeline of "+sc.customer+"'s effect"),
		colour.Quiet.Render("append-only; the hash of every entry includes the hash of the previous one"),
	)
	for _, entry := range entries {
		sc.tell.line("%s", strings.TrimRight(fmt.Sprintf("%3d  %s  %s  %s", entry.Seq, colour.Quiet.Render(sc.tell.at(entry.At)),
			column(colour.Strong.Render(string(entry.Kind)), 9), sc.details(entry)), " "))
	}
	return nil
}

// details describe an entry, without its kind.
func (sc *scene) details(entry engine.Entry) string {
	var parts []string
	switch entry.Kind {
	case engine.KindReceipt:
		parts = append(parts, sc.key().Effect+" is owed, deadline "+sc.tell.at(sc.incident.Deadline))
	case engine.KindCallback:
		parts = append(parts, fmt.Sprintf("%s, answered %d in %s", entry.Note, entry.Status, millis(entry.Duration)))
		entry.Note = ""
	}
	if entry.Actor != "" {
		parts = append(parts, "by "+string(entry.Actor))
	}
	for _, text := range []string{entry.Note, entry.ErrorMessage} {
		if text != "" {
			parts = append(parts, text)
		}
	}
	text := strings.Join(parts, ": ")
	switch {
	case entry.State == engine.StateApplied:
		return strings.TrimSpace(colour.Good.Render(string(entry.State)) + "  " + text)
	case entry.State == engine.StateReprocessing:
		return strings.TrimSpace(colour.Waiting.Render(string(entry.State)) + "  " + text)
	case entry.State.Open():
		return strings.TrimSpace(colour.Bad.Render(string(entry.State)) + "  " + text)
	}
	return text
}
