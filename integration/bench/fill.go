package main

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/integration/bench/pg"
)

// filler writes history directly into the tables, because years of payments one by one would take days. It writes the
// rows that the engine would have written: verify finds no problem in them. Anyone who changes the tables has to change
// this file too.
type filler struct {
	pool *pg.Pool
	next int64
}

// made are the effects from number $1 to $2, the first accepted at $3 and each $4 microseconds after the one before,
// owed for $5, and applied in time if $6 is true. The columns are filled as the flows fill them.
const made = `
WITH made AS MATERIALIZED (
  SELECT g.n, g.at, g.at + $5::interval AS deadline, sendpromptly.uuid7(g.at) AS effect_id
  FROM (SELECT n, $3::timestamptz + (n - $1::bigint) * $4::float8 * interval '1 microsecond' AS at
    FROM generate_series($1::bigint, $2::bigint) AS n) AS g
), project AS (
  SELECT p.project_id FROM sendpromptly.projects AS p WHERE p.name = 'default'
), effects AS (
  INSERT INTO sendpromptly.effects (effect_id, accepted_at, deadline, succeeded_at, occurred_at, amount, project_id, event_id,
    provider, effect,
    event_type, subject, merchant, currency, customer, version, objects)
  SELECT effect_id, at, deadline, CASE WHEN $6::boolean THEN at + interval '2 seconds' ELSE 'infinity' END,
    at - interval '2 seconds', 4900,
    project_id, 'evt_1H' || lpad(to_hex(n), 22, '0'), sendpromptly.short('stripe'), sendpromptly.short('credit_grant'),
    sendpromptly.short('invoice.paid'), 'user_' || lpad(n::text, 8, '0'), 'main.example.com', 'USD',
    'cus_' || lpad(n::text, 14, '0'),
    '2026.11.23-1', sendpromptly.join_objects(ARRAY['in_1' || lpad(n::text, 23, '0'), 'pi_3' || lpad(n::text, 23, '0')])
  FROM made, project
)`

// The outcomes of the effects.
const (
	// settled: applied two seconds after the receipt.
	settled = made + `
SELECT count(*) FROM made`

	// awaiting: nothing yet.
	awaiting = made + `
INSERT INTO sendpromptly.owed (deadline, effect_id, project_id) SELECT deadline, effect_id, project_id FROM made, project`

	// opened: the deadline passed; the effects whose number ends in 0 stay open, the others were repaired ten minutes later.
	opened = made + `, terms AS (
  INSERT INTO sendpromptly.terms (project_id, term, effect_id)
  SELECT project_id, t.term, effect_id FROM made, project, LATERAL (VALUES ('user_' || lpad(n::text, 8, '0')),
    ('cus_' || lpad(n::text, 14, '0'))) AS t(term)
), incidents AS (
  INSERT INTO sendpromptly.incidents (incident_id, effect_id, project_id, state, cause, opened_at, resolved_at)
  SELECT sendpromptly.uuid7(deadline + interval '400 ms'), effect_id, project_id,
    CASE WHEN n % 10 = 0 THEN 'missing' ELSE 'applied' END, 'missing',
    deadline + interval '400 ms', CASE WHEN n % 10 <> 0 THEN deadline + interval '10 minutes' END
  FROM made, project
)
INSERT INTO sendpromptly.entries (effect_id, at, project_id, kind, state, cause)
SELECT effect_id, at, project_id, kind, state, cause FROM (
  SELECT m.n, v.place, m.effect_id, m.deadline + v.after AS at, v.kind, v.state, v.cause
  FROM made AS m, LATERAL (VALUES (1, interval '0', 'deadline', 'missing', 'missing'),
    (2, interval '400 ms', 'opened', NULL, 'missing'),
    (3, interval '10 minutes', 'success', 'applied', NULL),
    (4, interval '10 minutes', 'resolved', NULL, NULL)) AS v(place, after, kind, state, cause)
  WHERE v.place <= 2 OR m.n % 10 <> 0) AS e, project ORDER BY n, place`
)

const (
	// fillChunk is how many effects one transaction of the filler writes.
	fillChunk = 50_000
	// ordinary is the default timeout of the filler's effects.
	ordinary = 30 * time.Minute
)

// span says when the effects of a fill were accepted, and how long they are owed.
type span struct {
	first   time.Time
	step    time.Duration
	timeout time.Duration
}

// longAgo is history: ten payments per second, beginning a month ago.
func (f *filler) longAgo() span {
	month := time.Now().Add(-30 * 24 * time.Hour)
	return span{first: month.Add(time.Duration(f.next) * 100 * time.Millisecond), step: 100 * time.Millisecond, timeout: ordinary}
}

// overdue are effects whose deadlines passed within the last minutes.
func overdue() span {
	return span{first: time.Now().Add(-ordinary - 5*time.Minute), step: time.Millisecond, timeout: ordinary}
}

// write adds n effects with their outcomes. done is called after every chunk; it may be nil.
func (f *filler) write(ctx context.Context, n int64, what string, when span, done func(share float64)) error {
	for written := int64(0); written < n; {
		chunk := min(fillChunk, n-written)
		first := when.first.Add(time.Duration(written) * when.step)
		err := pgx.BeginFunc(ctx, f.pool, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, "SET LOCAL synchronous_commit = off"); err != nil {
				return err
			}
			_, err := tx.Exec(
				ctx,
				what,
				f.next+1,
				f.next+chunk,
				first,
				float64(when.step.Nanoseconds())/1000,
				when.timeout,
				what == settled,
			)
			return err
		})
		if err != nil {
			return fmt.Errorf("filling: %w", err)
		}
		f.next += chunk
		written += chunk
		if done != nil {
			done(float64(written) / float64(n))
		}
	}
	return nil
}

// count runs a query that counts something.
func count(ctx context.Context, pool *pg.Pool, query string, args ...any) (n int64, err error) {
	err = pool.QueryRow(ctx, query, args...).Scan(&n)
	return n, err
}

const countIncidents = "SELECT count(*) FROM sendpromptly.incidents"
