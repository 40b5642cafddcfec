package demo

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"charm.land/lipgloss/v2"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sendpromptly/sendpromptly/cmd/spadmin/colour"
)

// The width of a line, and of the column with the speaker.
const (
	lineWidth  = 100
	voiceWidth = 15
)

// The speakers of the story.
const (
	theShop = "the shop"
	we      = "SendPromptly"
)

// narrator writes the story line by line, each with the time on the demo's own
// clock. It is for one goroutine.
type narrator struct {
	out   io.Writer
	start time.Time
	// ahead is how far Postgres's clock is ahead of ours.
	ahead time.Duration
	// err is the error of a write, for example to a closed pipe; lost then ends
	// the story.
	err  error
	lost func()
}

func newNarrator(out io.Writer) *narrator {
	if out == nil {
		out = io.Discard
	}
	return &narrator{out: out, start: time.Now(), lost: func() {}}
}

// setClock measures the offset of Postgres's clock, so that at can correct it.
func (n *narrator) setClock(ctx context.Context, pool *pgxpool.Pool) error {
	var now time.Time
	asked := time.Now()
	if err := pool.QueryRow(ctx, "SELECT clock_timestamp()").Scan(&now); err != nil {
		return err
	}
	n.ahead = now.Sub(asked.Add(time.Since(asked) / 2))
	return nil
}

// at formats a time of Postgres on the demo's clock.
func (n *narrator) at(t time.Time) string { return clock(t.Add(-n.ahead).Sub(n.start)) }

// clock formats minutes, seconds and milliseconds.
func clock(d time.Duration) string {
	d = max(d, 0).Round(time.Millisecond)
	return fmt.Sprintf("%02d:%02d.%03d", d/time.Minute, d/time.Second%60, d/time.Millisecond%1000)
}

// line prints one line without the time.
func (n *narrator) line(format string, args ...any) {
	if _, err := lipgloss.Fprintln(n.out, fmt.Sprintf(format, args...)); err != nil {
		n.err = err
		n.lost()
	}
}

// say prints a line of the story with the time.
func (n *narrator) say(format string, args ...any) {
	n.line("%s  %s", colour.Quiet.Render(clock(time.Since(n.start))), fmt.Sprintf(format, args...))
}

// voice prints what a speaker says or does.
func (n *narrator) voice(who, format string, args ...any) {
	name := colour.Named.Render(fmt.Sprintf("%-*s", voiceWidth, who))
	n.say("%s  %s", name, fmt.Sprintf(format, args...))
}

// aside adds a line to the previous one.
func (n *narrator) aside(format string, args ...any) {
	const clockWidth = len("00:00.000")
	n.line("%*s%s", clockWidth+voiceWidth+4, "", colour.Quiet.Render(fmt.Sprintf(format, args...)))
}

// heading begins a new part.
func (n *narrator) heading(title string) {
	n.line("")
	n.line("%s %s", colour.Strong.Render(title), colour.Quiet.Render(strings.Repeat("─", max(lineWidth-1-lipgloss.Width(title), 0))))
}

// column pads a text that may be coloured.
func column(text string, width int) string {
	return text + strings.Repeat(" ", max(width-lipgloss.Width(text), 0))
}

// dollars formats cents.
func dollars(cents int64) string { return fmt.Sprintf("$%d.%02d", cents/100, cents%100) }

// brief formats a duration in seconds, or in milliseconds below one second.
func brief(d time.Duration) string {
	if d < time.Second {
		return millis(d)
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

// millis formats a duration in milliseconds.
func millis(d time.Duration) string { return fmt.Sprintf("%d ms", d.Milliseconds()) }
