// Package colour defines the colours of spadmin. Each has a meaning. Output that is
// not a terminal gets no colours.
package colour

import "charm.land/lipgloss/v2"

// Good marks success, Waiting progress, and Bad a loss or a problem. Named marks the
// speakers and links of the demo.
var (
	Good    = lipgloss.NewStyle().Foreground(lipgloss.Green)
	Waiting = lipgloss.NewStyle().Foreground(lipgloss.Yellow)
	Bad     = lipgloss.NewStyle().Foreground(lipgloss.Red)
	Named   = lipgloss.NewStyle().Foreground(lipgloss.Cyan)
	Quiet   = lipgloss.NewStyle().Faint(true)
	Strong  = lipgloss.NewStyle().Bold(true)
)
