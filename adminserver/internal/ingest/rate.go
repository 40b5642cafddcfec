package ingest

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// rates bounds each project's requests to this process. Only requests with a
// valid key are counted, so there are no more limiters than projects.
type rates struct {
	limit rate.Limit
	burst int

	mu       sync.Mutex
	projects map[string]*rate.Limiter
}

func newRates(limit float64, burst int) *rates {
	return &rates{limit: rate.Limit(limit), burst: burst, projects: map[string]*rate.Limiter{}}
}

// wait takes a request into account. It returns how long the project has to
// wait before another one would be let in, 0 where this one is.
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
		reservation.CancelAt(now) // turned away, so it takes nothing
	}
	return delay
}
