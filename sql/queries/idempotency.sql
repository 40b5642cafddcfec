-- name: IdempotencyBegin :one
-- IdempotencyBegin takes the key for this transaction and reads the stored answer, if any.
-- begin_idempotent is defined in sql/functions/idempotency.sql.
SELECT r.verdict::text AS verdict, coalesce(r.status, 0)::int AS status, r.answer::bytea AS answer
FROM sendpromptly.begin_idempotent(sqlc.arg(project)::text, sqlc.arg(endpoint)::text, sqlc.arg(key)::text, sqlc.arg(body_hash)::bytea) AS r(verdict, status, answer);

-- name: IdempotencyKeep :exec
-- IdempotencyKeep stores the answer for 24 hours, in the transaction of the work.
-- keep_answer is defined in sql/functions/idempotency.sql.
SELECT sendpromptly.keep_answer(sqlc.arg(project)::text, sqlc.arg(endpoint)::text, sqlc.arg(key)::text, sqlc.arg(body_hash)::bytea,
  sqlc.arg(status)::int, sqlc.arg(answer)::bytea);

-- name: OutcomeSucceed :one
-- OutcomeSucceed is EffectSucceed with an optional provider and effect.
-- succeed is defined in sql/functions/succeed.sql.
SELECT coalesce(r.effect_id::text, '')::text AS effect_id, r.state::text AS state
FROM sendpromptly.succeed(sqlc.narg(provider)::text, sqlc.arg(event_id)::text, sqlc.narg(effect)::text,
  sqlc.narg(replay_id)::text, sqlc.arg(project)::text) AS r(effect_id, state, changed);

-- name: OutcomeFail :one
-- OutcomeFail is EffectFail with an optional provider and effect. It waits for no row.
-- fail and opened_by_failure are defined in sql/functions/fail.sql.
SELECT coalesce(r.effect_id::text, '')::text AS effect_id, r.state::text AS state,
  coalesce(CASE WHEN r.changed THEN sendpromptly.opened_by_failure(r.effect_id, sqlc.arg(project)::text) END, '')::text AS opened
FROM sendpromptly.fail(sqlc.narg(provider)::text, sqlc.arg(event_id)::text, sqlc.narg(effect)::text,
  sqlc.narg(error_code)::text, sqlc.narg(error_message)::text, sqlc.narg(replay_id)::text, sqlc.arg(project)::text) AS r(effect_id, state, changed);

-- name: EffectKey :one
-- EffectKey reads the key of one effect by its own id.
SELECT r.provider::text AS provider, r.event_id, r.effect::text AS effect FROM sendpromptly.receipts AS r
WHERE r.project_id = (SELECT p.project_id FROM sendpromptly.projects AS p WHERE p.name = sqlc.arg(project)) AND r.effect_id = sqlc.arg(effect_id)::uuid;

-- name: EventSpread :one
-- EventSpread counts the providers and effect types of one event.
SELECT count(DISTINCT few.provider)::int AS providers, count(DISTINCT few.effect)::int AS effects FROM (
  SELECT e.provider, e.effect FROM sendpromptly.effects AS e
  WHERE e.project_id = (SELECT p.project_id FROM sendpromptly.projects AS p WHERE p.name = sqlc.arg(project)) AND e.event_id = sqlc.arg(event_id)
    AND (sqlc.narg(provider)::text IS NULL OR e.provider = sendpromptly.short(sqlc.narg(provider)::text))
    AND (sqlc.narg(effect)::text IS NULL OR e.effect = sendpromptly.short(sqlc.narg(effect)::text)) LIMIT 100) AS few;
