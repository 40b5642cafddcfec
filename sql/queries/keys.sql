-- name: KeyCreate :one
-- KeyCreate adds an API key to a project.
INSERT INTO sendpromptly.api_keys (project_id, key_id, key_hash, ending, label, created_at, created_by)
SELECT sqlc.arg(project_id), sendpromptly.uuid7(c.now), sqlc.arg(key_hash), sqlc.arg(ending), sqlc.arg(label), c.now, sqlc.arg(created_by)
FROM (SELECT sendpromptly.clock() AS now) AS c
RETURNING *;

-- name: KeyList :many
-- KeyList reads a project's keys, newest first.
SELECT * FROM sendpromptly.api_keys AS k WHERE k.project_id = sqlc.arg(project_id) ORDER BY k.key_id DESC LIMIT 500;

-- name: KeyRevoke :one
-- KeyRevoke revokes a key; no row comes back if it is unknown or already revoked.
UPDATE sendpromptly.api_keys AS k SET revoked_at = (SELECT sendpromptly.clock())
WHERE k.project_id = sqlc.arg(project_id) AND k.key_id = sqlc.arg(key_id)::uuid AND k.revoked_at IS NULL
RETURNING k.label;

-- name: KeyOwner :one
-- KeyOwner finds a valid key by its hash; stale means that its use was not recorded within the last minute.
SELECT p.name AS project, p.suspended, p.snapshots, k.project_id, k.key_id, k.key_hash,
  coalesce(k.last_used_at < (SELECT sendpromptly.clock()) - interval '1 minute', true)::boolean AS stale
FROM sendpromptly.api_keys AS k JOIN sendpromptly.projects AS p ON p.project_id = k.project_id
WHERE k.key_hash = sqlc.arg(key_hash) AND k.revoked_at IS NULL LIMIT 1;

-- name: KeyUsed :exec
-- KeyUsed records the use of a key.
UPDATE sendpromptly.api_keys AS k SET last_used_at = (SELECT sendpromptly.clock())
WHERE k.project_id = sqlc.arg(project_id) AND k.key_id = sqlc.arg(key_id)::uuid;
