package engine

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// A loop begins within its first wait, then goes on an interval after each step ended, and no
// step begins after the end.
func TestALoopStepsEveryInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		start := time.Now()
		var at []time.Duration
		done := make(chan struct{})
		go func() {
			defer close(done)
			for next := timed(0, func() time.Duration { return time.Second }); next(ctx); {
				at = append(at, time.Since(start))
				<-time.After(300 * time.Millisecond) // a step that takes a while
			}
		}()
		synctest.Wait()
		<-time.After(3 * time.Second)
		cancel()
		<-done
		want := []time.Duration{0, 1300 * time.Millisecond, 2600 * time.Millisecond}
		if !slices.Equal(at, want) {
			t.Errorf("steps at %v, want %v", at, want)
		}
	})
}

// Engines that start at the same moment ask at different ones.
func TestTheFirstStepComesAtARandomMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		seen := map[time.Duration]bool{}
		for range 20 {
			began := time.Now()
			if !timed(time.Second, nil)(t.Context()) || time.Since(began) > time.Second {
				t.Errorf("the first step came after %v", time.Since(began))
			}
			seen[time.Since(began)] = true
		}
		if len(seen) < 10 {
			t.Errorf("%d different moments in %v", len(seen), time.Since(start))
		}
	})
}

// A loop that is rung for while it works goes round once more, however often.
func TestABellIsHeardOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		b := newBell()
		rounds := 0
		done := make(chan struct{})
		go func() {
			defer close(done)
			for b.wait(ctx) {
				rounds++
				<-time.After(time.Second)
			}
		}()
		b.ring(false)
		synctest.Wait()
		if rounds != 0 {
			t.Error("it woke without a ring")
		}
		b.ring(true)
		synctest.Wait()
		for range 3 {
			b.ring(true)
		}
		<-time.After(5 * time.Second)
		cancel()
		<-done
		if rounds != 2 {
			t.Errorf("%d rounds, want 2", rounds)
		}
	})
}
