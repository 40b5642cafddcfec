package engine

import "time"

// fleet is how many engines run on a database, and which of them this one is. Engines take turns at
// looking for work, so that a thousand of them send hardly more queries than one. There is no
// leader; the engines only share their heartbeats.
type fleet struct {
	// size includes this engine; rank is how many engines come before it.
	size, rank int
}

const (
	// looksPerInterval is how often a fleet of two or more engines checks for work, all together.
	// If one engine dies, the gap is at most one interval.
	looksPerInterval = 2
	// longestPeriod is the longest time between two checks of one engine, however large the fleet.
	// If all other engines die at once, the last one continues within it.
	longestPeriod = 10 * time.Second
)

// period is the time between two checks of one engine.
func (f fleet) period(interval time.Duration) time.Duration {
	shared := time.Duration(f.size) * interval / looksPerInterval
	return max(interval, min(shared, longestPeriod))
}

// until is how long the engine waits for its turn. Turns are spread evenly over the period by the
// database's clock, which all engines share.
func (f fleet) until(now time.Time, interval time.Duration) time.Duration {
	period := f.period(interval)
	if f.size < 2 {
		return period
	}
	turn := time.Duration(int64(period) / int64(f.size) * int64(f.rank))
	left := period - time.Duration((now.UnixNano()-int64(turn))%int64(period))
	if left < interval/20 { // it woke slightly early: this was its turn
		left += period
	}
	return left
}

// share is the interval of one engine for work that the fleet should do about once per every; at
// most an hour.
func (f fleet) share(every time.Duration) time.Duration {
	return max(every, min(every*time.Duration(f.size), time.Hour))
}
