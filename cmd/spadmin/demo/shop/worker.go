package shop

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/engine"
)

const (
	// pollInterval is how long a worker that found no job waits.
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

// StopWorkers stops all workers; each finishes the job that it has first.
func (s *Service) StopWorkers() {
	s.mu.Lock()
	if s.stop != nil {
		s.stop()
		s.stop = nil
	}
	s.mu.Unlock()
	s.running.Wait()
}

// OnTake sets what workers call, each in its own goroutine, when they have taken
// a job and not begun with it; nil for nothing.
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

// workOnce does the oldest waiting job and says whether there was one. What an
// effect fails with goes to the engine, by Apply, and stays with the job.
func (s *Service) workOnce() bool {
	ctx, cancel := context.WithTimeout(context.Background(), jobTimeout)
	defer cancel()
	j, found, err := s.take(ctx)
	if err != nil {
		s.logger.ErrorContext(ctx, "shop: no job could be taken", "service", s.name, "error", err)
	}
	if !found {
		return false
	}
	s.taken(j.Task)
	failure := s.effects.Apply(ctx, j.Key, func(ctx context.Context, tx pgx.Tx) error { return apply(ctx, tx, j.Task) },
		engine.WithReplay(j.ReplayID))
	if err := s.finish(ctx, j, failure); err != nil {
		s.logger.ErrorContext(ctx, "shop: a job could not be finished", "service", s.name, "error", err)
	}
	return true
}
