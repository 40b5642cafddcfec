package alerts

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode"

	"github.com/sendpromptly/sendpromptly/adminserver/internal/web"
	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/input"
	"github.com/sendpromptly/sendpromptly/internal/store/projects"
)

// The size limits of the channels. Slack refuses a text over 3,000 characters as a whole, which would happen
// exactly when everything fails at once.
const (
	slackLimit = 3000
	mailLimit  = 20_000
)

// message is the content of an alert. It contains only what alerts may say: project, provider, event type,
// effect, cause, counts, times and links.
type message struct {
	id      string
	project string
	mode    string
	base    web.Base
	content projects.AlertContent
}

// title is the message in one line.
func (m message) title() string {
	causes := map[engine.Cause]int{}
	for _, group := range m.content.Groups {
		causes[group.Cause] += group.Incidents
	}
	var parts []string
	for _, cause := range []engine.Cause{engine.CauseMissing, engine.CauseFailed} {
		if causes[cause] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", causes[cause], cause))
		}
	}
	name := m.project
	if m.mode != "" {
		name += " (" + m.mode + ")"
	}
	return fmt.Sprintf("%s: %s (%s)", name, plural(m.content.Count(), "incident"), strings.Join(parts, ", "))
}

// list is the address of the list with all of them.
func (m message) list() string {
	return m.base.URL("/incidents?" + url.Values{"project": {m.project}}.Encode())
}

// text is the message in at most limit bytes: the title, what the incidents have in common with their counts,
// the oldest incidents with their links, and the list. Lines that do not fit are left out as a whole, and
// counted.
func (m message) text(limit int, escape func(string) string) string {
	sheet := sheet{limit: limit, last: "All incidents: " + escape(m.list())}
	if !sheet.add(escape(m.title())) {
		return clip(m.title(), limit)
	}
	sheet.add("")
	said := 0
	for i, group := range m.content.Groups {
		// This reserves room for the line that counts what is left out.
		if i == 20 || !sheet.fits(escape(groupLine(group)), 80) {
			break
		}
		sheet.add(escape(groupLine(group)))
		said += group.Incidents
	}
	if rest := m.content.Count() - said; rest > 0 {
		sheet.add(fmt.Sprintf("and %s of other kinds", plural(rest, "incident")))
	}
	sheet.add("")
	for i, incident := range m.content.Incidents {
		line := escape(
			fmt.Sprintf("%s %s: %s", clip(incident.Effect, 64), incident.Cause, m.base.URL("/incidents/"+string(incident.ID))),
		)
		if i == 10 || !sheet.add(line) {
			break
		}
	}
	sheet.finish()
	return sheet.String()
}

func groupLine(g projects.AlertGroup) string {
	event := clip(g.Provider, 64)
	if g.EventType != "" {
		event += " " + clip(g.EventType, 64)
	}
	when := "opened at " + moment(g.First)
	if !g.Last.Equal(g.First) {
		when = "opened from " + moment(g.First) + " to " + moment(g.Last)
	}
	return fmt.Sprintf("- %d × %s %s after %s, %s", g.Incidents, clip(g.Effect, 64), g.Cause, event, when)
}

// hook is the message for programs.
func (m message) hook() ([]byte, error) {
	type group struct {
		Cause     engine.Cause `json:"cause"`
		Provider  string       `json:"provider"`
		EventType string       `json:"event_type"`
		Effect    string       `json:"effect_type"`
		Incidents int          `json:"incidents"`
		First     time.Time    `json:"first_opened_at"`
		Last      time.Time    `json:"last_opened_at"`
	}
	type incident struct {
		ID        engine.IncidentID `json:"incident_id"`
		Cause     engine.Cause      `json:"cause"`
		Provider  string            `json:"provider"`
		EventType string            `json:"event_type"`
		Effect    string            `json:"effect_type"`
		OpenedAt  time.Time         `json:"opened_at"`
		URL       string            `json:"url"`
	}
	body := struct {
		Type      string     `json:"type"`
		AlertID   string     `json:"alert_id"`
		Project   string     `json:"project"`
		Mode      string     `json:"mode,omitempty"`
		Count     int        `json:"count"`
		URL       string     `json:"url"`
		Groups    []group    `json:"groups"`
		Incidents []incident `json:"incidents"`
	}{"incidents.opened", m.id, m.project, m.mode, m.content.Count(), m.list(), []group{}, []incident{}}
	for i, g := range m.content.Groups {
		if i == 100 {
			break
		}
		body.Groups = append(body.Groups, group{g.Cause, g.Provider, g.EventType, g.Effect, g.Incidents, g.First.UTC(), g.Last.UTC()})
	}
	for _, i := range m.content.Incidents {
		body.Incidents = append(
			body.Incidents,
			incident{i.ID, i.Cause, i.Provider, i.EventType, i.Effect, i.OpenedAt.UTC(), m.base.URL("/incidents/" + string(i.ID))},
		)
	}
	return json.Marshal(body)
}

// sheet collects lines within a limit and keeps room for the last one.
type sheet struct {
	limit int
	last  string
	text  strings.Builder
}

// fits says whether a line and spare more bytes fit before the last line.
func (s *sheet) fits(line string, spare int) bool {
	return s.text.Len()+len(line)+1+spare+len(s.last) <= s.limit
}

func (s *sheet) add(line string) bool {
	if !s.fits(line, 0) {
		return false
	}
	s.text.WriteString(line + "\n")
	return true
}

func (s *sheet) finish() {
	if s.text.Len()+len(s.last) <= s.limit {
		s.text.WriteString(s.last)
	}
}

func (s *sheet) String() string { return strings.TrimRight(s.text.String(), "\n") }

// clip makes a text one line of at most limit characters, and shows where it was cut.
func clip(text string, limit int) string {
	return input.Clip(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, text), limit)
}

// slackText escapes what Slack reads as markup, so that no text can mention a
// channel or disguise a link.
func slackText(text string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(text)
}

func plain(text string) string { return text }

func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
