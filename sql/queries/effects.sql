-- name: EffectAccept :one
-- EffectAccept records that an effect is owed (accept in sql/functions/accept.sql), and reads what a duplicate found (duplicate_met there).
SELECT r.effect_id::uuid AS effect_id, r.deadline::timestamptz AS deadline, r.duplicate::boolean AS duplicate,
  (CASE WHEN r.duplicate THEN sendpromptly.duplicate_met(r.effect_id, r.deadline, sqlc.arg(project)::text) ELSE 'awaiting' END)::text AS met
FROM sendpromptly.accept(
  provider => sqlc.arg(provider)::text, event_id => sqlc.arg(event_id)::text, effect => sqlc.arg(effect)::text,
  event_type => sqlc.narg(event_type)::text, subject => sqlc.narg(subject)::text, occurred_at => sqlc.narg(occurred_at)::timestamptz,
  timeout => sqlc.narg(timeout)::text::interval, amount => sqlc.narg(amount)::bigint, currency => sqlc.narg(currency)::text,
  customer => sqlc.narg(customer)::text, version => sqlc.narg(version)::text, merchant => sqlc.narg(merchant)::text,
  objects => sqlc.arg(objects)::text[], snapshot => sqlc.arg(snapshot)::bytea, project => sqlc.arg(project)::text,
  source_event => sqlc.narg(source_event)::text
) AS r(effect_id, deadline, duplicate);

-- name: EffectAcceptMany :many
-- EffectAcceptMany records a list of receipts and returns rows in its order (accept_many in sql/functions/accept.sql).
SELECT r.effect_id::uuid AS effect_id, r.deadline::timestamptz AS deadline, r.duplicate::boolean AS duplicate,
  (CASE WHEN r.duplicate THEN sendpromptly.duplicate_met(r.effect_id, r.deadline, sqlc.arg(project)::text) ELSE 'awaiting' END)::text AS met
FROM sendpromptly.accept_many(sqlc.arg(receipts)::text::json, sqlc.arg(project)::text) AS r(ordinal, effect_id, deadline, duplicate)
ORDER BY r.ordinal;

-- name: EffectSucceed :one
-- EffectSucceed records that the effect happened.
-- succeed is defined in sql/functions/succeed.sql.
SELECT coalesce(r.effect_id::text, '')::text AS effect_id, r.state::text AS state, r.changed::boolean AS changed
FROM sendpromptly.succeed(sqlc.arg(provider)::text, sqlc.arg(event_id)::text, sqlc.arg(effect)::text,
  sqlc.narg(replay_id)::text, sqlc.arg(project)::text) AS r(effect_id, state, changed);

-- name: EffectFail :one
-- EffectFail records that an attempt at the effect failed, and returns the incident that it opened. It waits for no row.
-- fail and opened_by_failure are defined in sql/functions/fail.sql.
SELECT coalesce(r.effect_id::text, '')::text AS effect_id, r.state::text AS state, r.changed::boolean AS changed,
  coalesce(CASE WHEN r.changed THEN sendpromptly.opened_by_failure(r.effect_id, sqlc.arg(project)::text) END, '')::text AS opened
FROM sendpromptly.fail(sqlc.arg(provider)::text, sqlc.arg(event_id)::text, sqlc.arg(effect)::text,
  sqlc.narg(error_code)::text, sqlc.narg(error_message)::text, sqlc.narg(replay_id)::text, sqlc.arg(project)::text) AS r(effect_id, state, changed);

-- name: EffectBeginApply :one
-- EffectBeginApply locks the effects row and reads the state.
-- begin_apply is defined in sql/functions/apply.sql.
SELECT coalesce(r.effect_id::text, '')::text AS effect_id, r.state::text AS state
FROM sendpromptly.begin_apply(sqlc.arg(provider)::text, sqlc.arg(event_id)::text, sqlc.arg(effect)::text, sqlc.arg(project)::text) AS r(effect_id, state);

-- name: EffectFind :one
-- EffectFind reads one effect by its key, with its state and incident.
-- effect_state and find_effect are defined in sql/functions/effect.sql.
SELECT sqlc.embed(e), sendpromptly.effect_state(e.project_id, e.effect_id, e.deadline)::text AS state,
  coalesce((SELECT i.incident_id::text FROM sendpromptly.incidents AS i WHERE i.project_id = e.project_id AND i.effect_id = e.effect_id), '')::text AS incident_id
FROM sendpromptly.find_effect(sqlc.arg(provider)::text, sqlc.arg(event_id)::text, sqlc.arg(effect)::text, sqlc.arg(project)::text)
  AS f(project_id, effect_id, deadline, problem)
JOIN sendpromptly.receipts AS e ON e.project_id = f.project_id AND e.effect_id = f.effect_id
WHERE f.problem IS NULL;

-- name: EffectListLaterApplied :many
-- EffectListLaterApplied lists effects of the same subject that were accepted later and are applied.
-- effect_state is defined in sql/functions/effect.sql.
SELECT e.provider::text AS provider, e.event_id, e.effect::text AS effect FROM sendpromptly.terms AS t
JOIN sendpromptly.receipts AS e ON e.project_id = t.project_id AND e.effect_id = t.effect_id
WHERE t.project_id = sqlc.arg(project_id) AND t.term = lower(sqlc.arg(subject)::text) AND t.effect_id > sqlc.arg(effect_id)
  AND e.subject = sqlc.arg(subject)::text
  AND sendpromptly.effect_state(e.project_id, e.effect_id, e.deadline) = 'applied'
ORDER BY t.effect_id LIMIT 20;

-- name: EffectList :many
-- EffectList reads one page of effects, newest first, with their state and incident.
-- effect_state is defined in sql/functions/effect.sql.
-- effect_page is defined in sql/functions/effect_list.sql.
SELECT sqlc.embed(e), sendpromptly.effect_state(e.project_id, e.effect_id, e.deadline)::text AS state,
  coalesce((SELECT i.incident_id::text FROM sendpromptly.incidents AS i WHERE i.project_id = e.project_id AND i.effect_id = e.effect_id), '')::text AS incident_id
FROM sendpromptly.effect_page(sqlc.arg(project)::text, sqlc.arg(before)::uuid, sqlc.arg(page)::int, sqlc.narg(term)::text) AS page(project_id, effect_id)
JOIN sendpromptly.receipts AS e ON e.project_id = page.project_id AND e.effect_id = page.effect_id
ORDER BY e.effect_id DESC;

-- name: EffectGet :one
-- EffectGet reads one effect with its state and incident.
-- effect_state is defined in sql/functions/effect.sql.
SELECT sqlc.embed(e), sendpromptly.effect_state(e.project_id, e.effect_id, e.deadline)::text AS state,
  coalesce((SELECT i.incident_id::text FROM sendpromptly.incidents AS i WHERE i.project_id = e.project_id AND i.effect_id = e.effect_id), '')::text AS incident_id
FROM sendpromptly.receipts AS e WHERE e.project_id = sqlc.arg(project_id) AND e.effect_id = sqlc.arg(effect_id);

-- name: EffectListRelated :many
-- EffectListRelated reads the newest effects of the same event, subject or customer, at most 20 of each.
-- effect_state is defined in sql/functions/effect.sql.
SELECT sqlc.embed(e), sendpromptly.effect_state(e.project_id, e.effect_id, e.deadline)::text AS state,
  coalesce((SELECT i.incident_id::text FROM sendpromptly.incidents AS i WHERE i.project_id = e.project_id AND i.effect_id = e.effect_id), '')::text AS incident_id
FROM (
  (SELECT f.effect_id FROM sendpromptly.effects AS f WHERE f.project_id = sqlc.arg(project_id) AND f.event_id = sqlc.arg(event_id)::text LIMIT 20)
  UNION
  (SELECT t.effect_id FROM sendpromptly.terms AS t WHERE t.project_id = sqlc.arg(project_id) AND t.term = lower(sqlc.arg(subject)::text)
    ORDER BY t.effect_id DESC LIMIT 20)
  UNION
  (SELECT t.effect_id FROM sendpromptly.terms AS t WHERE t.project_id = sqlc.arg(project_id) AND t.term = lower(sqlc.arg(customer)::text)
    ORDER BY t.effect_id DESC LIMIT 20)) AS n
JOIN sendpromptly.receipts AS e ON e.project_id = sqlc.arg(project_id) AND e.effect_id = n.effect_id
WHERE n.effect_id <> sqlc.arg(effect_id)::uuid
ORDER BY e.effect_id DESC LIMIT 60;

-- name: EffectListAcceptedAgain :many
-- EffectListAcceptedAgain reads the newest receipts that came again with other facts, with their effects.
SELECT sqlc.embed(e), n.at, coalesce(n.note, '')::text AS note FROM sendpromptly.entries AS n
JOIN sendpromptly.receipts AS e ON e.project_id = n.project_id AND e.effect_id = n.effect_id
WHERE n.project_id = sqlc.arg(project_id) AND n.kind = 'mismatch'
ORDER BY n.entry_id DESC LIMIT sqlc.arg(most)::int;
