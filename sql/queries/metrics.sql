-- name: VitalsGet :one
-- VitalsGet reads the state of the whole deployment, for metrics. Counts stop at 100,001.
SELECT
  (SELECT count(*) FROM (SELECT 1 FROM sendpromptly.owed LIMIT 100001) AS a)::int AS owed,
  (SELECT count(*) FROM (SELECT 1 FROM sendpromptly.owed AS o WHERE o.deadline < (SELECT sendpromptly.clock()) LIMIT 100001) AS b)::int AS overdue,
  (SELECT count(*) FROM (SELECT 1 FROM sendpromptly.callbacks AS c WHERE c.state IN ('waiting', 'leased') LIMIT 100001) AS d)::int AS callbacks_waiting,
  coalesce((SELECT extract(epoch FROM greatest(interval '0', (SELECT sendpromptly.clock()) - min(o.deadline))) FROM sendpromptly.owed AS o
    WHERE o.hold_until IS NULL), 0)::float8 AS lag_seconds,
  (count(*) FILTER (WHERE e.alive))::int AS engines, coalesce(max(e.overdue_locked) FILTER (WHERE e.alive), 0)::int AS overdue_locked,
  coalesce(max(e.sweep_seconds) FILTER (WHERE e.alive), 0)::float8 AS sweep_seconds
FROM (SELECT n.*, n.seen_at > (SELECT sendpromptly.clock()) - interval '30 seconds' AS alive FROM sendpromptly.engines AS n) AS e;

-- name: ChangesMark :one
-- ChangesMark reads a transaction id below which every change is visible.
SELECT pg_snapshot_xmin(pg_current_snapshot())::text AS mark;

-- name: ChangesTally :many
-- ChangesTally counts what happened in transactions from one mark on; settled counts those before another mark. A callback counts by its answer.
SELECT c.what, (c.xid < sqlc.arg(until)::text::xid8)::boolean AS settled, coalesce(n.outcome, '')::text AS outcome, count(*)::int AS changes
FROM sendpromptly.changes AS c LEFT JOIN LATERAL (
  SELECT CASE WHEN e.status BETWEEN 200 AND 299 THEN 'accepted' WHEN e.status BETWEEN 300 AND 499 THEN 'refused'
    WHEN e.status IS NOT NULL THEN 'failed' ELSE 'unreachable' END AS outcome
  FROM sendpromptly.incidents AS i JOIN sendpromptly.entries AS e ON e.project_id = i.project_id AND e.effect_id = i.effect_id
  WHERE i.project_id = c.project_id AND i.incident_id = c.subject_id AND e.kind = 'callback' AND e.at = c.at LIMIT 1) AS n ON c.what = 'callback'
WHERE c.xid >= sqlc.arg(since)::text::xid8 AND c.what IN ('opened', 'applied', 'callback')
GROUP BY 1, 2, 3;
