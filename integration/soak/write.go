package main

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/engine"
)

const (
	// batch is how many effects one transaction accepts or settles.
	batch = 1000
	// Of a hundred effects, this many get no outcome before their deadline, which is a second away, and this many get a
	// failure first.
	lostOf, failedOf = 5, 1
	// Of a hundred lost effects, this many are applied in the end; the others stay open.
	healedOf = 80
	// patience is how many batches later that happens.
	patience = 40
)

// write records receipts and outcomes in batches until enough transitions are made. The outcome of a batch comes after
// the next batch's receipts; effects that were lost get theirs when their incidents have long been open.
func (s *soak) write(ctx context.Context) error {
	var last []string
	var healing [][]string
	for s.done.Load() < s.transitions {
		first := s.receipts.Add(batch) - batch
		owed, lost, err := s.accept(ctx, first)
		if err != nil {
			return fmt.Errorf("accept: %w", err)
		}
		if err := s.settle(ctx, last); err != nil {
			return fmt.Errorf("settle: %w", err)
		}
		last = owed
		if healing = append(healing, lost[:len(lost)*healedOf/100]); len(healing) > patience {
			if err := s.succeed(ctx, healing[0]); err != nil {
				return fmt.Errorf("heal: %w", err)
			}
			healing = healing[1:]
		}
	}
	return s.settle(ctx, last)
}

// accept records a batch of receipts and returns the event ids of those whose outcome comes in time, and of the others.
func (s *soak) accept(ctx context.Context, first int64) (owed, lost []string, err error) {
	list := make([]engine.Acceptance, batch)
	for i := range list {
		n := first + int64(i)
		id := eventID(n)
		list[i] = engine.Acceptance{
			Key:       engine.Key{Provider: "stripe", EventID: id, Effect: "credit_grant"},
			EventType: "invoice.paid",
			Subject: fmt.Sprintf(
				"user_%08d",
				n,
			),
			Timeout: 30 * time.Minute,
			Amount:  engine.Money{Minor: 4900, Currency: "USD"},
			Version: "2026.11.23-1",
		}
		if n%100 < lostOf {
			list[i].Timeout = time.Second
			lost = append(lost, id)
			continue
		}
		owed = append(owed, id)
	}
	err = pgx.BeginFunc(ctx, s.writing, func(tx pgx.Tx) error {
		_, err := s.engine.AcceptMany(ctx, tx, list)
		return err
	})
	s.done.Add(batch)
	return owed, lost, err
}

func eventID(n int64) string { return fmt.Sprintf("evt_1H%022x", n) }

// settle reports a failure for a few and then a success for all.
func (s *soak) settle(ctx context.Context, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	failing := ids[:len(ids)*failedOf/100]
	const fail = `SELECT count(*) FILTER (WHERE f.changed) FROM unnest($1::text[]) AS u(id), LATERAL sendpromptly.fail('stripe',
		u.id, 'credit_grant', 'timeout', 'the ledger did not answer') AS f`
	if err := s.signal(ctx, fail, failing); err != nil {
		return err
	}
	return s.succeed(ctx, ids)
}

func (s *soak) succeed(ctx context.Context, ids []string) error {
	const succeed = `SELECT count(*) FILTER (WHERE f.changed) FROM unnest($1::text[]) AS u(id),
		LATERAL sendpromptly.succeed('stripe', u.id, 'credit_grant') AS f`
	return s.signal(ctx, succeed, ids)
}

// signal runs a statement over a list of events and counts the effects that it changed.
func (s *soak) signal(ctx context.Context, statement string, ids []string) error {
	var moved int64
	err := s.writing.QueryRow(ctx, statement, ids).Scan(&moved)
	s.done.Add(moved)
	return err
}
