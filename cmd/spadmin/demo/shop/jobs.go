package shop

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
)

// job is a task in the queue.
type job struct {
	Task
	id int64
}

// enqueue adds a job in the caller's transaction.
func (s *Service) enqueue(ctx context.Context, tx pgx.Tx, t Task) error {
	_, err := tx.Exec(
		ctx,
		`INSERT INTO shop.jobs (service, provider, event_id, effect, event_type, account, object, cents, replay_id)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		s.name,
		t.Provider,
		t.EventID,
		t.Effect,
		t.EventType,
		t.Account,
		t.Object,
		t.Cents,
		t.ReplayID,
	)
	return err
}

// take marks the oldest waiting job as taken; found is false if there is none.
func (s *Service) take(ctx context.Context) (j job, found bool, err error) {
	row := s.pool.QueryRow(ctx, `WITH next AS MATERIALIZED (
			SELECT id FROM shop.jobs WHERE service = $1 AND taken_at IS NULL ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED)
		UPDATE shop.jobs AS j SET taken_at = clock_timestamp() FROM next WHERE j.id = next.id
		RETURNING j.id, j.provider, j.event_id, j.effect, j.event_type, j.account, j.object, j.cents, j.replay_id`, s.name)
	err = row.Scan(&j.id, &j.Provider, &j.EventID, &j.Effect, &j.EventType, &j.Account, &j.Object, &j.Cents, &j.ReplayID)
	if errors.Is(err, pgx.ErrNoRows) {
		return j, false, nil
	}
	return j, err == nil, err
}

// finish marks a job as done and stores the error of a failed job.
func (s *Service) finish(ctx context.Context, j job, failure error) error {
	var message *string
	if failure != nil {
		text := failure.Error()
		message = &text
	}
	_, err := s.pool.Exec(ctx, "UPDATE shop.jobs SET done_at = clock_timestamp(), error = $2 WHERE id = $1", j.id, message)
	return err
}
