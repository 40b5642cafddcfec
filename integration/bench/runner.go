package main

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sendpromptly/sendpromptly/integration/bench/flow"
)

// runner drives one system. Each client has a queue of flows that wait for their second transaction, filled before
// anything is measured; a turn is one first transaction of a new flow and one second of the oldest that waits, so that
// every measurement includes exactly as many of each.
type runner struct {
	*flow.System
	next atomic.Int64
	// keyOnly makes receipts as short as they can be.
	keyOnly bool
	queues  [maxClients][]*flow.Flow
}

func newRunner(s *flow.System, keyOnly bool) *runner { return &runner{System: s, keyOnly: keyOnly} }

// push does the first transaction of a new flow.
func (r *runner) push(ctx context.Context, client int) error {
	f := flow.New(r.next.Add(1))
	f.KeyOnly = r.keyOnly
	if err := r.First(ctx, f); err != nil {
		return fmt.Errorf("%s: first transaction of flow %d: %w", r.Name, f.N, err)
	}
	r.queues[client] = append(r.queues[client], f)
	return nil
}

// pop does the second transaction of the client's oldest flow.
func (r *runner) pop(ctx context.Context, client int) error {
	f := r.queues[client][0]
	r.queues[client] = r.queues[client][1:]
	if err := r.Second(ctx, f); err != nil {
		return fmt.Errorf("%s: second transaction of flow %d: %w", r.Name, f.N, err)
	}
	return nil
}

func (r *runner) turn(ctx context.Context, client int) error {
	if err := r.push(ctx, client); err != nil {
		return err
	}
	return r.pop(ctx, client)
}

// each runs work once for each client, all at the same time.
func (r *runner) each(clients int, work func(client int) error) error {
	failures := make([]error, clients)
	var group sync.WaitGroup
	for client := range clients {
		group.Go(func() { failures[client] = work(client) })
	}
	group.Wait()
	for _, err := range failures {
		if err != nil {
			return err
		}
	}
	return nil
}

// fill brings the queues of the first clients to their depth.
func (r *runner) fill(ctx context.Context, clients int) error {
	return r.each(clients, func(client int) error {
		for len(r.queues[client]) < queueDepth {
			if err := r.push(ctx, client); err != nil {
				return err
			}
		}
		return nil
	})
}

// drain finishes every flow that waits.
func (r *runner) drain(ctx context.Context) error {
	err := r.each(maxClients, func(client int) error {
		for len(r.queues[client]) > 0 {
			if err := r.pop(ctx, client); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return r.Finish(ctx)
}

// turns takes the given number of turns with the given number of clients.
func (r *runner) turns(ctx context.Context, clients, turns int) error {
	err := r.each(clients, func(client int) error {
		for range turns / clients {
			if err := r.turn(ctx, client); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return r.Finish(ctx)
}

// turnsFilled takes the given turns with one client. It fills the queue before and drains it afterwards. mark is called at the
// begin and at the end of the turns.
func (r *runner) turnsFilled(ctx context.Context, turns int, mark func() error) error {
	if err := r.fill(ctx, 1); err != nil {
		return err
	}
	if err := mark(); err != nil {
		return err
	}
	if err := r.turns(ctx, 1, turns); err != nil {
		return err
	}
	if err := mark(); err != nil {
		return err
	}
	return r.drain(ctx)
}

// measured is the result of one slice.
type measured struct {
	flows   int64
	elapsed time.Duration
	// cpu is the backends' time, negative if it is not known.
	cpu time.Duration
}

func (m measured) perSecond() float64 { return float64(m.flows) / m.elapsed.Seconds() }

// cpuPerFlow is in microseconds.
func (m measured) cpuPerFlow() float64 { return float64(m.cpu.Microseconds()) / float64(m.flows) }

// slice takes turns for about the given time and ends when all begun work is done.
func (r *runner) slice(ctx context.Context, clients int, length time.Duration) (measured, error) {
	cpu, noCPU := r.Pool.CPUTime()
	var flows atomic.Int64
	began := time.Now()
	err := r.each(clients, func(client int) error {
		for n := int64(0); ; n++ {
			if time.Since(began) >= length || ctx.Err() != nil {
				flows.Add(n)
				return ctx.Err()
			}
			if err := r.turn(ctx, client); err != nil {
				return err
			}
		}
	})
	if err != nil {
		return measured{}, err
	}
	if err := r.Finish(ctx); err != nil {
		return measured{}, err
	}
	m := measured{flows: flows.Load(), elapsed: time.Since(began), cpu: -1}
	if after, err := r.Pool.CPUTime(); err == nil && noCPU == nil {
		m.cpu = after - cpu
	}
	return m, nil
}
