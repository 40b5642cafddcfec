package engine

import (
	"context"
	"math/rand/v2"
	"time"
)

// timed waits for the time that next returns, but the first time for a random part of first:
// engines that start together should not query together.
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

// bell wakes a loop. Pending signals coalesce.
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
