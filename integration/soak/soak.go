package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/integration/bench/pg"
	"github.com/sendpromptly/sendpromptly/internal/steps"
)

// soak is one run.
type soak struct {
	options
	server *pg.Server
	// Writers and the sweep have pools of their own, so that the sweep's CPU time is measured separately.
	writing, sweeping *pg.Pool
	engine            *engine.Engine
	began             time.Time

	// done counts transitions; receipts numbers the effects.
	done, receipts atomic.Int64

	mu     sync.Mutex
	sweeps []sweep
	marks  []mark
}

// sweep is one call of Sweep.
type sweep struct {
	// at is how many transitions had been made.
	at        int64
	opened    int
	took, cpu time.Duration
}

// tenths is the number of parts of a run.
const tenths = 10

// mark is the size of the database at the end of a tenth of the run.
type mark struct {
	at                    time.Duration
	transitions           int64
	bytes, owed, owedDead int64
}

func newSoak(ctx context.Context, server *pg.Server, o options) (*soak, error) {
	s := &soak{options: o, server: server, began: time.Now()}
	var err error
	if s.writing, err = server.NewDatabase(ctx, o.writers+4); err != nil {
		return nil, err
	}
	if err := engine.Migrate(ctx, s.writing.Pool); err != nil {
		return nil, err
	}
	if s.sweeping, err = pg.Open(ctx, s.writing.Config().ConnString(), 1); err != nil {
		return nil, err
	}
	s.engine, err = engine.New(ctx, s.sweeping.Pool, engine.Config{Logger: slog.New(slog.DiscardHandler)})
	return s, err
}

func (s *soak) close() {
	s.sweeping.Close()
	s.writing.Close()
}

// age runs the writers, the sweep and the engine's other steps until enough transitions are made.
func (s *soak) age(ctx context.Context) error {
	running, stop := context.WithCancel(ctx)
	defer stop()
	var writers, others sync.WaitGroup
	var mu sync.Mutex
	var failures []error
	keep := func(err error) {
		if err != nil && running.Err() == nil {
			mu.Lock()
			failures = append(failures, err)
			mu.Unlock()
			stop()
		}
	}
	for range s.writers {
		writers.Go(func() { keep(s.write(running)) })
	}
	others.Go(func() { keep(s.sweep(running)) })
	others.Go(func() { keep(s.upkeep(running)) })
	others.Go(func() { keep(s.watch(running)) })
	writers.Wait()
	stop()
	others.Wait()
	return errors.Join(append(failures, ctx.Err())...)
}

// sweep calls Sweep repeatedly and records the duration of each call.
func (s *soak) sweep(ctx context.Context) error {
	for {
		before, _ := s.sweeping.CPUTime()
		at, began := s.done.Load(), time.Now()
		opened, err := steps.Of(s.engine).Sweep(ctx)
		if err != nil {
			return fmt.Errorf("sweep: %w", err)
		}
		took := time.Since(began)
		after, _ := s.sweeping.CPUTime()
		s.done.Add(int64(opened))
		s.mu.Lock()
		s.sweeps = append(s.sweeps, sweep{at: at, opened: opened, took: took, cpu: after - before})
		s.mu.Unlock()
		if !wait(ctx, s.every) {
			return nil
		}
	}
}

// upkeep runs the other steps of Run, as often as Run does.
func (s *soak) upkeep(ctx context.Context) error {
	e, err := engine.New(ctx, s.writing.Pool, engine.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	for wait(ctx, time.Second) {
		for _, step := range []func(context.Context) (int, error){steps.Of(e).Seal, steps.Of(e).Index, steps.Of(e).Purge} {
			if _, err := step(ctx); err != nil {
				return fmt.Errorf("upkeep: %w", err)
			}
		}
	}
	return nil
}

// watch measures the tables at the end of each tenth and prints the run's progress.
func (s *soak) watch(ctx context.Context) error {
	for next := int64(1); next <= tenths; {
		if !wait(ctx, 100*time.Millisecond) && s.done.Load() < s.transitions {
			return nil
		}
		if s.done.Load() < s.transitions*next/tenths {
			continue
		}
		if err := s.look(context.WithoutCancel(ctx)); err != nil {
			return err
		}
		next++
	}
	return nil
}

func (s *soak) look(ctx context.Context) error {
	m := mark{at: time.Since(s.began), transitions: s.done.Load()}
	bytes, err := s.writing.SchemaBytes(ctx, "sendpromptly")
	if err != nil {
		return err
	}
	m.bytes = bytes
	err = s.writing.QueryRow(ctx, `SELECT pg_total_relation_size('sendpromptly.owed'), n_dead_tup FROM pg_stat_user_tables
		WHERE schemaname = 'sendpromptly' AND relname = 'owed'`).Scan(&m.owed, &m.owedDead)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.marks = append(s.marks, m)
	s.mu.Unlock()
	fmt.Fprintf(
		os.Stderr,
		"%3d %%  %s  %d transitions, %d effects, %d MB\n",
		m.transitions*100/s.transitions,
		m.at.Round(time.Second),
		m.transitions,
		s.receipts.Load(),
		m.bytes>>20,
	)
	return nil
}

// wait returns false if ctx ended first.
func wait(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
