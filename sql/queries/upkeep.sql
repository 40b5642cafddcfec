-- name: ClockRead :one
-- ClockRead reads the only clock.
SELECT sendpromptly.clock()::timestamptz AS now;

-- name: ClockBody :one
-- ClockBody reads the clock function's source, the database's name and the schema's version.
SELECT p.prosrc::text AS body, current_database()::text AS database, coalesce((SELECT max(m.version) FROM sendpromptly.migrations AS m), 0)::int AS version
FROM pg_catalog.pg_proc AS p WHERE p.oid = 'sendpromptly.clock()'::regprocedure;

-- name: EffectSeal :one
-- EffectSeal seals one effect's chain and reads its head.
-- seal is defined in sql/functions/seal.sql.
SELECT coalesce(r.seq, 0)::int AS seq, r.hash::bytea AS hash FROM sendpromptly.seal(sqlc.arg(project_id)::int, sqlc.arg(effect_id)::uuid) AS r(seq, hash);

-- name: ChangedSeal :one
-- ChangedSeal seals the effects of incidents that changed, with apart each in a subtransaction.
-- seal_changed is defined in sql/functions/seal.sql.
SELECT r::int AS taken FROM sendpromptly.seal_changed(sqlc.arg(batch)::int, sqlc.arg(apart)::boolean) AS r;

-- name: TermsIndex :one
-- TermsIndex adds new effects to the search terms.
-- index_terms is defined in sql/functions/index.sql.
SELECT r::int AS taken FROM sendpromptly.index_terms(sqlc.arg(batch)::int) AS r;

-- name: StatisticsFold :one
-- StatisticsFold adds what happened to incidents to the statistics.
-- fold_statistics is defined in sql/functions/statistics.sql.
SELECT r::int AS taken FROM sendpromptly.fold_statistics(sqlc.arg(batch)::int) AS r;

-- name: ExpiredPurge :one
-- ExpiredPurge deletes rows that have expired.
-- purge is defined in sql/functions/purge.sql.
SELECT r::int AS taken FROM sendpromptly.purge(sqlc.arg(batch)::int) AS r;

-- name: EngineBeat :one
-- EngineBeat records an engine's heartbeat, and returns how many others are alive and how many of them come before it.
WITH beat AS (
  INSERT INTO sendpromptly.engines AS e (engine_id, version, host, started_at, seen_at, last_sweep_at, lag, overdue_locked, sweep_seconds)
  SELECT sqlc.arg(engine_id)::uuid, sqlc.arg(version)::text, sqlc.arg(host)::text, c.now, c.now, sqlc.narg(last_sweep_at)::timestamptz,
    greatest(interval '0', c.now - (SELECT min(o.deadline) FROM sendpromptly.owed AS o WHERE o.hold_until IS NULL)), sqlc.arg(overdue_locked)::int,
    sqlc.arg(sweep_seconds)::float8
  FROM (SELECT sendpromptly.clock() AS now) AS c
  ON CONFLICT (engine_id) DO UPDATE SET seen_at = excluded.seen_at, last_sweep_at = excluded.last_sweep_at, lag = excluded.lag,
    overdue_locked = excluded.overdue_locked, sweep_seconds = excluded.sweep_seconds
)
SELECT count(*)::int AS others, (count(*) FILTER (WHERE a.engine_id < sqlc.arg(engine_id)::uuid))::int AS earlier
FROM sendpromptly.engines AS a
WHERE a.engine_id <> sqlc.arg(engine_id)::uuid AND a.seen_at > (SELECT sendpromptly.clock()) - interval '30 seconds';

-- name: EngineLeave :exec
-- EngineLeave removes the heartbeat of an engine that stopped cleanly.
DELETE FROM sendpromptly.engines AS e WHERE e.engine_id = sqlc.arg(engine_id)::uuid;

-- name: ChangesAfter :many
-- ChangesAfter reads the change feed in order, after a cursor. settled marks
-- rows below every running transaction: nothing can appear before them any more.
SELECT c.xid::text AS xid, c.seq, c.kind, c.what, c.subject_id, c.at, p.name AS project,
  (c.xid < pg_snapshot_xmin(pg_current_snapshot()))::boolean AS settled
FROM sendpromptly.changes AS c JOIN sendpromptly.projects AS p ON p.project_id = c.project_id
WHERE (c.xid, c.seq) > (sqlc.arg(xid)::text::xid8, sqlc.arg(seq)::bigint)
ORDER BY c.xid, c.seq LIMIT sqlc.arg(page)::int;

-- name: ChangesNow :one
-- ChangesNow reads where a follower begins that needs only future changes.
SELECT pg_snapshot_xmin(pg_current_snapshot())::text AS xid;
