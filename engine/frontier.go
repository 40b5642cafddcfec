package engine

import "time"

// frontier is where an engine's looks at the deadlines begin. The entries of
// owed rows that are long gone stay in the index while an old transaction might
// still see them, and each look from the first deadline on reads them all: an
// hour of a report over a busy database makes a look take seconds. So where a
// whole look was dear, the next ones begin where it ended.
//
// What can wait behind the frontier was held, locked, or committed late; it is
// found by the next whole look, 30 seconds later at most.
type frontier struct {
	// clean is a moment before which no deadline waited when it was looked at.
	clean time.Time
	// whole is when the last whole look was, by this machine's clock, and took how long that look took in Postgres.
	whole time.Time
	took  time.Duration
}

// A whole look that takes longer than dearLook is made once in a thousand times as long as it takes.
const (
	dearLook   = time.Millisecond
	lookShare  = 1000
	rarestLook = 30 * time.Second
)

// since is where the next look begins, nil for the first deadline.
func (f *frontier) since(now time.Time) *time.Time {
	if f.clean.IsZero() || f.took <= dearLook || now.Sub(f.whole) >= min(f.took*lookShare, rarestLook) {
		return nil
	}
	clean := f.clean
	return &clean
}

// looked keeps what a look that began at since took.
func (f *frontier) looked(now time.Time, since *time.Time, milliseconds float64) {
	if since == nil {
		f.whole, f.took = now, time.Duration(milliseconds*float64(time.Millisecond))
	}
}

// passed keeps that nothing due at started waits any more.
func (f *frontier) passed(started time.Time) { f.clean = started }
