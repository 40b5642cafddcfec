-- name: SessionFind :one
-- SessionFind reads a session that has not been idle for too long; stale means that its use was not recorded within the last minute.
SELECT s.data, (s.expires_at < (SELECT sendpromptly.clock()) + sqlc.arg(idle)::text::interval - interval '1 minute')::boolean AS stale
FROM sendpromptly.sessions AS s WHERE s.session_hash = sqlc.arg(session_hash) AND s.expires_at > (SELECT sendpromptly.clock());

-- name: SessionUsed :exec
-- SessionUsed extends a session. It never revives one that has ended.
UPDATE sendpromptly.sessions AS s SET expires_at = (SELECT sendpromptly.clock()) + sqlc.arg(idle)::text::interval
WHERE s.session_hash = sqlc.arg(session_hash) AND s.expires_at > (SELECT sendpromptly.clock());

-- name: SessionSave :exec
-- SessionSave writes a session.
INSERT INTO sendpromptly.sessions AS s (session_hash, data, expires_at)
SELECT sqlc.arg(session_hash), sqlc.arg(data), (SELECT sendpromptly.clock()) + sqlc.arg(lifetime)::text::interval
ON CONFLICT (session_hash) DO UPDATE SET data = excluded.data, expires_at = excluded.expires_at;

-- name: SessionDelete :exec
-- SessionDelete ends a session.
DELETE FROM sendpromptly.sessions AS s WHERE s.session_hash = sqlc.arg(session_hash);

-- name: SessionPurge :execrows
-- SessionPurge deletes sessions and login links that have expired, at most batch of each.
WITH old_links AS (
  DELETE FROM sendpromptly.login_links WHERE ctid = ANY (ARRAY(
    SELECT l.ctid FROM sendpromptly.login_links AS l WHERE l.expires_at <= (SELECT sendpromptly.clock()) LIMIT sqlc.arg(batch)::int FOR UPDATE SKIP LOCKED)))
DELETE FROM sendpromptly.sessions WHERE ctid = ANY (ARRAY(
  SELECT s.ctid FROM sendpromptly.sessions AS s WHERE s.expires_at <= (SELECT sendpromptly.clock()) LIMIT sqlc.arg(batch)::int FOR UPDATE SKIP LOCKED));
