package engine

import (
	"context"
	"math/rand/v2"
	"time"
)

// timed waits for the time that next says, and for a random part of first
// before that: engines that start together do not ask together.
func timed(first time.Duration, next func() time.Duration) func(context.Context) bool {
	duration := func() time.Duration { return rand.N(first + 1) }
	return func(ctx context.Context) bool {
		d := duration()
		duration = next
		return wait(ctx, d)
	}
}

// wait returns false if ctx ended first.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return ctx.Err() == nil
	}
}

// bell wakes a loop. Rings that nobody hears in time are one ring.
type bell chan struct{}

func newBell() bell { return make(bell, 1) }

func (b bell) ring(yes bool) {
	if !yes {
		return
	}
	select {
	case b <- struct{}{}:
	default:
	}
}

// wait returns false if ctx ended first.
func (b bell) wait(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case <-b:
		return ctx.Err() == nil
	}
}
