package engine

import "time"

// fleet is how many engines are alive on a database, and which of them this one
// is. Engines take turns in looking for work, so that a thousand of them ask
// hardly more than one: no leader, and nothing to agree on but the heartbeats.
type fleet struct {
	// size counts this engine too; rank is how many come before it.
	size, rank int
}

const (
	// looksPerInterval are made by a fleet of two or more engines together, so
	// that one that died unnoticed leaves a gap of one interval at most.
	looksPerInterval = 2
	// longestPeriod is how seldom an engine of a large fleet may look, whatever its
	// size: if all others die at once, the last one goes on within it.
	longestPeriod = 10 * time.Second
)

// period is the time between two looks of one engine.
func (f fleet) period(interval time.Duration) time.Duration {
	shared := time.Duration(f.size) * interval / looksPerInterval
	return max(interval, min(shared, longestPeriod))
}

// until is how long the engine waits for its turn. Turns are spread evenly over
// the period by the database's clock, which all engines share.
func (f fleet) until(now time.Time, interval time.Duration) time.Duration {
	period := f.period(interval)
	if f.size < 2 {
		return period
	}
	turn := time.Duration(int64(period) / int64(f.size) * int64(f.rank))
	left := period - time.Duration((now.UnixNano()-int64(turn))%int64(period))
	if left < interval/20 { // awake a moment too early: this was the turn
		left += period
	}
	return left
}

// share is how often one engine does what the fleet does once in every; an hour at the most.
func (f fleet) share(every time.Duration) time.Duration {
	return max(every, min(every*time.Duration(f.size), time.Hour))
}
