package shop

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/engine"
)

const (
	// pollInterval is the wait of a worker that found no job.
	pollInterval = 50 * time.Millisecond
	// jobTimeout bounds one job.
	jobTimeout = 30 * time.Second
)

// StartWorkers adds workers.
func (s *Service) StartWorkers(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stop == nil {
		s.until, s.stop = context.WithCancel(context.Background())
	}
	until := s.until
	for range n {
		s.running.Go(func() { s.loop(until) })
	}
}

// StopWorkers stops all workers; each finishes its current job first.
func (s *Service) StopWorkers() {
	s.mu.Lock()
	if s.stop != nil {
		s.stop()
		s.stop = nil
	}
	s.mu.Unlock()
	s.running.Wait()
}

// OnTake sets the function that a worker calls in its own goroutine after it took a
// job, before it begins the work. It may be nil.
func (s *Service) OnTake(call func(Task)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.onTake = call
}

func (s *Service) taken(t Task) {
	s.mu.Lock()
	call := s.onTake
	s.mu.Unlock()
	if call != nil {
		call(t)
	}
}

// loop is one worker.
func (s *Service) loop(until context.Context) {
	for until.Err() == nil {
		if s.workOnce() {
			continue
		}
		timer := time.NewTimer(pollInterval)
		select {
		case <-until.Done():
		case <-timer.C:
		}
		timer.Stop()
	}
}

// workOnce runs the oldest waiting job and reports whether there was one. Apply
// records a failure in the engine; the job stores it too.
func (s *Service) workOnce() bool {
	ctx, cancel := context.WithTimeout(context.Background(), jobTimeout)
	defer cancel()
	j, found, err := s.take(ctx)
	if err != nil {
		s.logger.ErrorContext(ctx, "shop: cannot take a job", "service", s.name, "error", err)
	}
	if !found {
		return false
	}
	s.taken(j.Task)
	failure := s.effects.Apply(ctx, j.Key, func(ctx context.Context, tx pgx.Tx) error { return apply(ctx, tx, j.Task) },
		engine.WithReplay(j.ReplayID))
	if err := s.finish(ctx, j, failure); err != nil {
		s.logger.ErrorContext(ctx, "shop: cannot mark the job as done", "service", s.name, "error", err)
	}
	return true
}
