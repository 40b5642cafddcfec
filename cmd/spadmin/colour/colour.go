// Package colour holds the colours of spadmin. They carry meaning, and go away
// where the output is not a terminal.
package colour

import "charm.land/lipgloss/v2"

// Good is well, Waiting is on its way, Bad is lost or needs somebody. Named is
// what the story of the demo comes back to.
var (
	Good    = lipgloss.NewStyle().Foreground(lipgloss.Green)
	Waiting = lipgloss.NewStyle().Foreground(lipgloss.Yellow)
	Bad     = lipgloss.NewStyle().Foreground(lipgloss.Red)
	Named   = lipgloss.NewStyle().Foreground(lipgloss.Cyan)
	Quiet   = lipgloss.NewStyle().Faint(true)
	Strong  = lipgloss.NewStyle().Bold(true)
)
