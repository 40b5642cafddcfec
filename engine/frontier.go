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
	// whole is when the last whole look was, by this machine's clock, and entries how many of the index it read.
	whole   time.Time
	entries int64
}

// A whole look that reads more entries than dearLook is made less often the more it reads: about a thousandth of the
// time is spent on it, for an entry takes some 0.1 µs. What is counted is the same on a busy machine and an idle one.
const (
	dearLook   = 5000
	entryPause = 100 * time.Microsecond
	rarestLook = 30 * time.Second
)

// since is where the next look begins, nil for the first deadline.
func (f *frontier) since(now time.Time) *time.Time {
	if f.clean.IsZero() || f.entries <= dearLook || now.Sub(f.whole) >= min(time.Duration(f.entries)*entryPause, rarestLook) {
		return nil
	}
	clean := f.clean
	return &clean
}

// looked keeps what a look that began at since read.
func (f *frontier) looked(now time.Time, since *time.Time, entries int64) {
	if since == nil {
		f.whole, f.entries = now, entries
	}
}

// passed keeps that nothing due at started waits any more.
func (f *frontier) passed(started time.Time) { f.clean = started }
