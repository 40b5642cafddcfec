-- name: RetentionClaim :many
-- RetentionClaim takes the projects that are due, so that one engine per hour works on each.
UPDATE sendpromptly.projects AS p SET retained_at = c.now
FROM (SELECT sendpromptly.clock() AS now) AS c
WHERE p.retention IS NOT NULL AND (p.retained_at IS NULL OR p.retained_at <= c.now - interval '1 hour')
RETURNING p.name, (c.now - make_interval(secs => extract(epoch FROM p.retention)::float8))::timestamptz AS settled_before;

-- name: EffectsRetain :one
-- EffectsRetain removes the effects of one page that may leave, or counts them.
-- retain is defined in sql/functions/retention.sql.
SELECT r.taken::int AS taken, r.gone::int AS gone, r.last::uuid AS last,
  extract(epoch FROM r.held)::float8 AS held_seconds
FROM sendpromptly.retain(sqlc.arg(project)::text, sqlc.arg(settled_before)::timestamptz, sqlc.arg(after)::uuid, sqlc.arg(batch)::int,
  sqlc.arg(dry_run)::boolean) AS r(taken, gone, last, held);

-- name: EffectsReadForArchive :many
-- EffectsReadForArchive seals and reads one page of effects with all their rows; document is empty if an effect stays.
-- retain_read is defined in sql/functions/archive.sql.
SELECT r.effect_id::uuid AS effect_id, coalesce(r.document, '')::text AS document, extract(epoch FROM r.held)::float8 AS held_seconds
FROM sendpromptly.retain_read(sqlc.arg(project)::text, sqlc.arg(settled_before)::timestamptz, sqlc.arg(after)::uuid, sqlc.arg(batch)::int)
  AS r(effect_id, document, held);

-- name: EffectsForget :many
-- EffectsForget removes archived effects that have not changed since then, as far as its budget allows, and returns the result for each.
-- retain_forget is defined in sql/functions/archive.sql.
SELECT r.effect_id::uuid AS effect_id, coalesce(r.gone, false)::boolean AS gone, (r.gone IS NOT NULL)::boolean AS there,
  extract(epoch FROM r.held)::float8 AS held_seconds
FROM sendpromptly.retain_forget(sqlc.arg(project)::text, sqlc.arg(settled_before)::timestamptz, sqlc.arg(effect_ids)::text[]::uuid[])
  AS r(effect_id, gone, held);
