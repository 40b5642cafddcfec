-- name: CallbackClaim :many
-- CallbackClaim leases due callbacks for 60 seconds.
-- claim_callbacks is defined in sql/functions/callbacks.sql.
SELECT r.project_id::int AS project_id, r.replay_id::uuid AS replay_id, r.incident_id::uuid AS incident_id, r.effect_id::uuid AS effect_id,
  r.try::int AS try, r.token::uuid AS token, r.nonce::text AS nonce, r.signed_at::timestamptz AS signed_at
FROM sendpromptly.claim_callbacks(sqlc.arg(batch)::int) AS r(project_id, replay_id, incident_id, effect_id, try, token, nonce, signed_at);

-- name: CallbackContent :one
-- CallbackContent reads a callback's content and URL, if its lease lasts at least as long as sending may take.
SELECT sqlc.embed(e), sqlc.embed(p), i.cause, a.number, a.requested_at, s.sealed AS snapshot
FROM sendpromptly.callbacks AS c
JOIN sendpromptly.attempts AS a ON a.project_id = c.project_id AND a.replay_id = c.replay_id
JOIN sendpromptly.projects AS p ON p.project_id = a.project_id
JOIN sendpromptly.incidents AS i ON i.project_id = a.project_id AND i.incident_id = a.incident_id
JOIN sendpromptly.receipts AS e ON e.project_id = i.project_id AND e.effect_id = i.effect_id
LEFT JOIN sendpromptly.snapshots AS s ON s.project_id = e.project_id AND s.effect_id = e.effect_id
WHERE c.project_id = sqlc.arg(project_id) AND c.replay_id = sqlc.arg(replay_id) AND c.lease_token = sqlc.arg(token)::uuid AND c.state = 'leased'
  AND c.next_at > (SELECT sendpromptly.clock()) + sqlc.arg(sending)::text::interval;

-- name: CallbackComplete :one
-- CallbackComplete records the answer to one try; a stale token is discarded.
-- complete_callback is defined in sql/functions/callbacks.sql.
SELECT r::boolean AS done FROM sendpromptly.complete_callback(sqlc.arg(project_id)::int, sqlc.arg(replay_id)::uuid, sqlc.arg(token)::uuid,
  sqlc.arg(verdict)::text, sqlc.narg(status)::int, sqlc.narg(retry_in)::text::interval, sqlc.arg(duration_ms)::int, sqlc.arg(url)::text,
  sqlc.narg(answer)::text, sqlc.narg(error)::text) AS r;

-- name: RepairBegin :one
-- RepairBegin locks the effects row without waiting and returns what to answer.
-- begin_repair is defined in sql/functions/repairs.sql.
SELECT r.verdict::text AS verdict, coalesce(r.status, 0)::int AS status, coalesce(r.answer, '')::text AS answer
FROM sendpromptly.begin_repair(sqlc.arg(effect_id)::uuid, sqlc.arg(replay_id)::uuid, sqlc.arg(nonce)::text, sqlc.arg(body_hash)::bytea,
  sqlc.arg(project)::text) AS r(verdict, status, answer);

-- name: RepairEnd :exec
-- RepairEnd stores the answer to a callback for a day.
-- end_repair is defined in sql/functions/repairs.sql.
SELECT sendpromptly.end_repair(sqlc.arg(effect_id)::uuid, sqlc.arg(replay_id)::uuid, sqlc.arg(nonce)::text, sqlc.arg(body_hash)::bytea,
  sqlc.arg(status)::int, sqlc.arg(answer)::text, sqlc.arg(project)::text);

-- name: RepairNoteBroken :exec
-- RepairNoteBroken writes an entry that a repair failed and will be tried again.
-- note_broken_repair is defined in sql/functions/repairs.sql.
SELECT sendpromptly.note_broken_repair(sqlc.arg(effect_id)::uuid, sqlc.arg(replay_id)::uuid, sqlc.arg(error_message)::text, sqlc.arg(project)::text);

-- name: CallbackSecretList :many
-- CallbackSecretList lists a project's secrets that have not retired, newest first.
SELECT s.* FROM sendpromptly.callback_secrets AS s
WHERE s.project_id = sqlc.arg(project_id) AND (s.retires_at IS NULL OR s.retires_at > (SELECT sendpromptly.clock()))
ORDER BY s.created_at DESC, s.secret_id DESC;

-- name: CallbackSecretMissing :one
-- CallbackSecretMissing says whether a project has no secret to sign its callbacks.
SELECT (NOT EXISTS (SELECT 1 FROM sendpromptly.callback_secrets AS s WHERE s.project_id = sqlc.arg(project_id) AND s.retires_at IS NULL))::boolean AS missing;

-- name: CallbackSecretCreate :exec
-- CallbackSecretCreate adds a secret, which becomes the newest.
INSERT INTO sendpromptly.callback_secrets (project_id, secret_id, secret, sealed, created_at)
SELECT sqlc.arg(project_id), sendpromptly.uuid7(c.now), sqlc.arg(secret), sqlc.arg(sealed), c.now
FROM (SELECT sendpromptly.clock() AS now) AS c;

-- name: CallbackSecretRetireOthers :exec
-- CallbackSecretRetireOthers retires every secret but the newest after the overlap.
UPDATE sendpromptly.callback_secrets AS s SET retires_at = least(s.retires_at, (SELECT sendpromptly.clock()) + sqlc.arg(overlap)::text::interval)
WHERE s.project_id = sqlc.arg(project_id) AND s.secret_id <> (
  SELECT n.secret_id FROM sendpromptly.callback_secrets AS n WHERE n.project_id = sqlc.arg(project_id)
  ORDER BY n.created_at DESC, n.secret_id DESC LIMIT 1);
