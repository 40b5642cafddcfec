package engine

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// looks runs fleets of engines for a while and returns when each looked, in order.
func looks(size int, interval, during time.Duration) []time.Duration {
	ctx, cancel := context.WithTimeout(context.Background(), during)
	defer cancel()
	start := time.Now()
	var mu sync.Mutex
	var at []time.Duration
	var group sync.WaitGroup
	for rank := range size {
		group.Go(func() {
			f := fleet{size: size, rank: rank}
			for next := timed(interval, func() time.Duration { return f.until(time.Now(), interval) }); next(ctx); {
				mu.Lock()
				at = append(at, time.Since(start))
				mu.Unlock()
			}
		})
	}
	group.Wait()
	slices.Sort(at)
	return at
}

// However many engines there are, somebody looks in every interval, and all
// together ask hardly more often than two: the deadline is noticed, and the
// database is left in peace.
func TestEnginesTakeTurns(t *testing.T) {
	for _, test := range []struct {
		size      int
		interval  time.Duration
		perSecond float64
	}{
		{1, time.Second, 1},
		{2, time.Second, 2},
		{3, time.Second, 2},
		{10, time.Second, 2},
		{20, time.Second, 2},
		{100, time.Second, 10},
		{1000, time.Second, 100}, // bounded by the longest period
		{10, 100 * time.Millisecond, 20},
		{10, time.Minute, 10. / 60},
	} {
		// Long enough that the first looks, which come at random moments, do not count.
		during := max(10*time.Minute, 100*test.interval)
		synctest.Test(t, func(t *testing.T) {
			at := looks(test.size, test.interval, during)
			if rate := float64(len(at)) / during.Seconds(); rate > test.perSecond*1.05 || rate < test.perSecond*0.9 {
				t.Errorf("%d engines, every %v: %.2f looks a second, want about %.2f", test.size, test.interval, rate, test.perSecond)
			}
			widest := at[0]
			for i := range at[1:] {
				widest = max(widest, at[i+1]-at[i])
			}
			if widest > test.interval+test.interval/10 {
				t.Errorf("%d engines, every %v: nobody looked for %v", test.size, test.interval, widest)
			}
		})
	}
}

// The turn that an engine wakes up for a moment too early is not taken twice.
func TestATurnIsTakenOnce(t *testing.T) {
	t.Parallel()
	f := fleet{size: 4, rank: 1} // looks every two seconds, half a second after the even ones
	base := time.Unix(1000, 0)
	for offset, want := range map[time.Duration]time.Duration{
		0:                      500 * time.Millisecond,
		400 * time.Millisecond: 100 * time.Millisecond,
		460 * time.Millisecond: 2040 * time.Millisecond,
		500 * time.Millisecond: 2 * time.Second,
		600 * time.Millisecond: 1900 * time.Millisecond, 1900 * time.Millisecond: 600 * time.Millisecond,
	} {
		if got := f.until(base.Add(offset), time.Second); got != want {
			t.Errorf("at %v: %v, want %v", offset, got, want)
		}
	}
}

func TestWhatAFleetSharesIsDoneByEachNowAndThen(t *testing.T) {
	t.Parallel()
	for size, want := range map[int]time.Duration{1: time.Minute, 5: 5 * time.Minute, 1000: time.Hour} {
		if got := (fleet{size: size}).share(time.Minute); got != want {
			t.Errorf("%d engines: each every %v, want %v", size, got, want)
		}
	}
}
