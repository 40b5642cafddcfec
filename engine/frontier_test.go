package engine

import (
	"testing"
	"time"
)

// A cheap look is always whole. After a dear one the next looks begin where it ended, for the longer the more it read, and
// half a minute at the most.
func TestTheFrontierMovesOnlyWhereLooksAreDear(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	clean := now.Add(time.Hour) // the database's clock may be another one
	for _, test := range []struct {
		name    string
		entries int64
		after   time.Duration
		whole   bool
	}{
		{"cheap", 5000, 0, true},
		{"dear, at once", 20_000, 0, false},
		{"dear, just before", 20_000, 2*time.Second - 1, false},
		{"dear, in time", 20_000, 2 * time.Second, true},
		{"very dear, just before", 50_000_000, 30*time.Second - 1, false},
		{"very dear, in time", 50_000_000, 30 * time.Second, true},
	} {
		f := frontier{}
		f.looked(now, nil, test.entries)
		if f.since(now.Add(test.after)) != nil {
			t.Errorf("%s: nothing is known to be clean yet", test.name)
		}
		f.passed(clean)
		since := f.since(now.Add(test.after))
		if whole := since == nil; whole != test.whole {
			t.Errorf("%s: whole is %v", test.name, whole)
		}
		if since != nil && !since.Equal(clean) {
			t.Errorf("%s: begins at %s", test.name, since)
		}
		// A look from the frontier on says nothing about what a whole one costs.
		f.looked(now.Add(test.after), &clean, 3)
		if whole := f.since(now.Add(test.after)) == nil; whole != test.whole {
			t.Errorf("%s: a short look changed that", test.name)
		}
	}
}
