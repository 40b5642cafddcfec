-- name: TokenCreate :one
-- TokenCreate adds a token; without a lifetime it does not expire.
INSERT INTO sendpromptly.tokens (token_id, token_hash, ending, label, role, project_id, created_at, created_by, expires_at)
SELECT sendpromptly.uuid7(c.now), sqlc.arg(token_hash), sqlc.arg(ending), sqlc.arg(label), sqlc.arg(role), sqlc.arg(project_id), c.now, sqlc.arg(created_by),
  c.now + sqlc.narg(lifetime)::text::interval
FROM (SELECT sendpromptly.clock() AS now) AS c
RETURNING *;

-- name: TokenList :many
-- TokenList reads all tokens, newest first.
SELECT sqlc.embed(t), coalesce(p.name, '')::text AS project FROM sendpromptly.tokens AS t
LEFT JOIN sendpromptly.projects AS p ON p.project_id = t.project_id ORDER BY t.token_id DESC LIMIT 1000;

-- name: TokenRevoke :one
-- TokenRevoke revokes a token; no row comes back if it is unknown or already revoked.
UPDATE sendpromptly.tokens AS t SET revoked_at = (SELECT sendpromptly.clock())
WHERE t.token_id = sqlc.arg(token_id)::uuid AND t.revoked_at IS NULL
RETURNING t.label;

-- name: TokenOwner :one
-- TokenOwner finds a valid token by its hash; stale means that its use was not recorded within the last minute.
SELECT sqlc.embed(t), coalesce(p.name, '')::text AS project,
  coalesce(t.last_used_at < (SELECT sendpromptly.clock()) - interval '1 minute', true)::boolean AS stale, (SELECT sendpromptly.clock())::timestamptz AS now
FROM sendpromptly.tokens AS t LEFT JOIN sendpromptly.projects AS p ON p.project_id = t.project_id
WHERE t.token_hash = sqlc.arg(token_hash) AND t.revoked_at IS NULL AND coalesce(t.expires_at > (SELECT sendpromptly.clock()), true);

-- name: TokenSession :one
-- TokenSession reads the token that a session began with, unless it is no longer valid or the login is 12 hours old; recent is 15 minutes.
SELECT sqlc.embed(t), coalesce(p.name, '')::text AS project,
  (sqlc.arg(logged_in_at)::timestamptz > (SELECT sendpromptly.clock()) - interval '15 minutes')::boolean AS recent
FROM sendpromptly.tokens AS t LEFT JOIN sendpromptly.projects AS p ON p.project_id = t.project_id
WHERE t.token_id = sqlc.arg(token_id)::uuid AND t.revoked_at IS NULL AND coalesce(t.expires_at > (SELECT sendpromptly.clock()), true)
  AND sqlc.arg(logged_in_at)::timestamptz > (SELECT sendpromptly.clock()) - interval '12 hours';

-- name: TokenUsed :exec
-- TokenUsed records the use of a token.
UPDATE sendpromptly.tokens AS t SET last_used_at = (SELECT sendpromptly.clock()) WHERE t.token_id = sqlc.arg(token_id)::uuid;
