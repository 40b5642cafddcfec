package flow

import (
	"testing"
)

func TestFlowsAreDistinctAndTheSameEveryTime(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for n := range int64(20_000) {
		f := New(n)
		if len(f.Key.EventID) != 28 || seen[f.Key.EventID] {
			t.Fatalf("flow %d has the event %s", n, f.Key.EventID)
		}
		seen[f.Key.EventID] = true
	}
	if a, b := New(
		7,
	).Acceptance(),
		New(
			7,
		).Acceptance(); a.EventID != b.EventID || a.Customer != b.Customer ||
		a.Objects[1] != b.Objects[1] {
		t.Errorf("%v and %v", a, b)
	}
	if a := New(7).Acceptance(); a.Objects[0][4:] == a.Objects[1][4:] || a.EventID[5:] == a.Objects[0][4:] {
		t.Errorf("two ids of one flow are alike: %v", a)
	}
}

func TestKeyOnlyLeavesTheRestEmpty(t *testing.T) {
	t.Parallel()
	f := New(1)
	f.KeyOnly = true
	if a := f.Acceptance(); a.Subject != "" || a.Objects != nil || a.EventID != New(1).Key.EventID {
		t.Errorf("%+v", a)
	}
}
