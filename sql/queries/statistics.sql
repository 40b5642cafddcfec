-- name: OverviewGet :one
-- OverviewGet reads the figures of a project's front page; counts stop at a bound.
-- overview_counts is defined in sql/functions/statistics.sql.
SELECT coalesce(r.owed, 0)::int AS owed, coalesce(r.overdue, 0)::int AS overdue, coalesce(r.callbacks_waiting, 0)::int AS callbacks_waiting,
  coalesce(r.recovered, 0)::int AS recovered, coalesce(r.median_seconds, 0)::float8 AS median_seconds
FROM sendpromptly.overview_counts(sqlc.arg(project_id)::int) AS r(owed, overdue, callbacks_waiting, recovered, median_seconds);

-- name: OpenCount :many
-- OpenCount counts the newest 100,001 open incidents by state and cause.
SELECT n.state, n.cause, count(*)::int AS incidents FROM (
  SELECT i.state, i.cause FROM sendpromptly.incidents AS i
  WHERE i.project_id = sqlc.arg(project_id) AND sendpromptly.is_open(i.state)
  ORDER BY i.incident_id DESC LIMIT 100001) AS n
GROUP BY n.state, n.cause ORDER BY n.state, n.cause;

-- name: StatisticsList :many
-- StatisticsList reads the buckets since a moment, each as wide as step, oldest first; empty ones are left out.
SELECT date_bin(sqlc.arg(step)::text::interval, s.bucket, '2000-01-01Z')::timestamptz AS at, sum(s.receipts)::int AS receipts, sum(s.opened)::int AS opened,
  sum(s.recovered)::int AS recovered, sum(s.closed)::int AS closed
FROM sendpromptly.statistics AS s
WHERE s.project_id = sqlc.arg(project_id)
  AND s.bucket >= date_bin(sqlc.arg(step)::text::interval, sqlc.arg(since)::timestamptz, '2000-01-01Z')
GROUP BY 1 ORDER BY 1;
