package engine

import (
	"testing"
	"time"
)

// A cheap look is always whole. After a dear one the next looks begin where it ended, until a thousand times as long as
// it took has passed, or half a minute.
func TestTheFrontierMovesOnlyWhereLooksAreDear(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	clean := now.Add(time.Hour) // the database's clock may be another one
	for _, test := range []struct {
		name  string
		took  float64
		after time.Duration
		whole bool
	}{
		{"cheap", 1, 0, true},
		{"dear, at once", 2, 0, false},
		{"dear, just before", 2, 2*time.Second - 1, false},
		{"dear, in time", 2, 2 * time.Second, true},
		{"very dear, just before", 5000, 30*time.Second - 1, false},
		{"very dear, in time", 5000, 30 * time.Second, true},
	} {
		f := frontier{}
		f.looked(now, nil, test.took)
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
		f.looked(now.Add(test.after), &clean, 0.1)
		if whole := f.since(now.Add(test.after)) == nil; whole != test.whole {
			t.Errorf("%s: a short look changed that", test.name)
		}
	}
}
