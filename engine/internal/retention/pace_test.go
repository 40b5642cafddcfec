package retention

import (
	"testing"
	"time"
)

// The batch follows what the last one took, within its bounds.
func TestTheBatchFollowsWhatTheLastOneTook(t *testing.T) {
	t.Parallel()
	p := Pace{batch: 100}
	for _, step := range []struct {
		took time.Duration
		late bool
		want int
	}{
		{5 * time.Millisecond, false, 200}, {15 * time.Millisecond, false, 200}, {30 * time.Millisecond, false, 100},
		{75 * time.Millisecond, true, 25}, {75 * time.Millisecond, true, 10}, {60 * time.Millisecond, false, 10},
		{time.Millisecond, false, 20}, {time.Millisecond, false, 40},
	} {
		if p.adapt(step.took, step.late); p.batch != step.want {
			t.Errorf("after %v: %d, want %d", step.took, p.batch, step.want)
		}
	}
	for range 10 {
		p.adapt(0, false)
	}
	if p.batch != most {
		t.Errorf("it grew to %d", p.batch)
	}
}
