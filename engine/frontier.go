package engine

import "time"

// frontier is where an engine's scans for deadlines begin. The index keeps the entries of deleted
// rows while an old transaction might still see them, and a scan from the first deadline reads them
// all: during an hour-long report on a busy database, one scan takes seconds. So after an expensive
// full scan, the next scans begin where it ended.
//
// A deadline before the frontier can only be one that was held, locked, or committed late. The next
// full scan finds it, at most 30 seconds later.
type frontier struct {
	// clean is a time before which no deadline was waiting at the last scan.
	clean time.Time
	// whole is the time of the last full scan, by this machine's clock; entries is how many index
	// entries it read.
	whole   time.Time
	entries int64
}

// The more entries beyond costlyScan a full scan reads, the less often it is made. An entry takes
// about 0.1 µs, so full scans use about a thousandth of the time. Counting entries, not time, gives
// the same result on a busy machine and an idle one.
const (
	costlyScan = 5000
	entryPause = 100 * time.Microsecond
	rarestScan = 30 * time.Second
)

// since is where the next scan begins, nil for the first deadline.
func (f *frontier) since(now time.Time) *time.Time {
	if f.clean.IsZero() || f.entries <= costlyScan || now.Sub(f.whole) >= min(time.Duration(f.entries)*entryPause, rarestScan) {
		return nil
	}
	clean := f.clean
	return &clean
}

// looked records how much a scan that began at since read.
func (f *frontier) looked(now time.Time, since *time.Time, entries int64) {
	if since == nil {
		f.whole, f.entries = now, entries
	}
}

// passed records that nothing that was due at started is still waiting.
func (f *frontier) passed(started time.Time) { f.clean = started }
