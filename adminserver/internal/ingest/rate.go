package ingest

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// rates limits each project's requests to this process. Only requests with a valid key are counted, so there
// are at most as many limiters as projects.
type rates struct {
	limit rate.Limit
	burst int

	mu       sync.Mutex
	projects map[string]*rate.Limiter
}

func newRates(limit float64, burst int) *rates {
	return &rates{limit: rate.Limit(limit), burst: burst, projects: map[string]*rate.Limiter{}}
}

// wait counts a request. It returns how long the project must wait before its next request would be accepted,
// or 0 if this one is.
func (r *rates) wait(project string) time.Duration {
	r.mu.Lock()
	limiter, known := r.projects[project]
	if !known {
		limiter = rate.NewLimiter(r.limit, r.burst)
		r.projects[project] = limiter
	}
	r.mu.Unlock()
	now := time.Now()
	reservation := limiter.ReserveN(now, 1)
	delay := reservation.DelayFrom(now)
	if delay > 0 {
		reservation.CancelAt(now) // refused, so it does not count
	}
	return delay
}
