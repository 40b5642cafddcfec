package report

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
)

// Progress shows how far a run is: a bar on a terminal, one line per part elsewhere.
type Progress struct {
	out     io.Writer
	bar     *progressbar.ProgressBar // nil if out is not a terminal
	done    float64                  // seconds of the finished parts
	seconds float64                  // of the part under way
	began   time.Time
}

// perSecond is the bar's resolution.
const perSecond = 10

// NewProgress begins a run that is expected to take so many seconds.
func NewProgress(out *os.File, seconds float64) *Progress {
	p := &Progress{out: out}
	if info, err := out.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
		p.bar = progressbar.NewOptions(int(seconds*perSecond), progressbar.OptionSetWriter(out), progressbar.OptionSetWidth(40),
			progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish(), progressbar.OptionSetPredictTime(true))
	}
	return p
}

// Part begins a part that is expected to take so many seconds.
func (p *Progress) Part(title string, seconds float64) {
	p.done += p.seconds
	p.seconds, p.began = seconds, time.Now()
	if p.bar == nil {
		fmt.Fprintf(p.out, "%s …\n", title)
		return
	}
	p.bar.Describe(title)
	p.Done(0)
}

// Done sets the finished share of the part.
func (p *Progress) Done(share float64) {
	if p.bar != nil {
		_ = p.bar.Set(int((p.done + min(max(share, 0), 1)*p.seconds) * perSecond)) // a drawing error does not stop the run
	}
}

// Note writes a line next to the bar.
func (p *Progress) Note(format string, args ...any) {
	if p.bar != nil {
		_ = p.bar.Clear()
	}
	fmt.Fprintf(p.out, format+"\n", args...)
}

// Finish ends the run.
func (p *Progress) Finish() {
	if p.bar != nil {
		_ = p.bar.Finish()
	}
}
