package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"charm.land/lipgloss/v2"
	"charm.land/lipgloss/v2/table"

	"github.com/sendpromptly/sendpromptly/cmd/spadmin/colour"
	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/wire"
)

// Say prints a line for people.
func Say(w io.Writer, format string, args ...any) {
	_, _ = lipgloss.Fprintln(w, fmt.Sprintf(format, args...))
}

// SayJSON prints one JSON value, indented.
func SayJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// SayTable prints rows under their headings, aligned and without borders, so that
// it is easy to read and to cut.
func SayTable(w io.Writer, headings []string, rows [][]string) {
	t := table.New().Headers(headings...).Rows(rows...).
		Border(lipgloss.HiddenBorder()).BorderTop(false).BorderBottom(false).BorderLeft(false).BorderRight(false).
		BorderHeader(false).BorderColumn(false).BorderRow(false).
		StyleFunc(func(row, _ int) lipgloss.Style {
			style := lipgloss.NewStyle().PaddingRight(2)
			if row == table.HeaderRow {
				return style.Faint(true)
			}
			return style
		})
	for _, line := range strings.Split(t.String(), "\n") {
		_, _ = lipgloss.Fprintln(w, strings.TrimRight(line, " "))
	}
}

// StateStyle colours a state.
func StateStyle(s engine.State) string {
	switch s {
	case engine.StateApplied:
		return colour.Good.Render(string(s))
	case engine.StateReprocessing, engine.StateAwaiting:
		return colour.Waiting.Render(string(s))
	case engine.StateFailed, engine.StateMissing:
		return colour.Bad.Render(string(s))
	}
	return string(s)
}

// IncidentState is StateStyle for an incident, which is resolved when its effect is applied.
func IncidentState(i engine.Incident) string {
	state, resolution := wire.IncidentState(i)
	if resolution != "" {
		return colour.Good.Render(state)
	}
	return StateStyle(i.State)
}

// Moment formats a time for people, in UTC to the second.
func Moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05Z")
}

// Printable replaces control characters, so that untrusted text cannot control the terminal.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return '·'
		}
		return r
	}, s)
}
