-- name: OperatorInvite :one
-- OperatorInvite adds an operator, or gives an existing one the role.
INSERT INTO sendpromptly.operators (email, role, created_at, created_by)
SELECT sqlc.arg(email), sqlc.arg(role), c.now, sqlc.arg(created_by) FROM (SELECT sendpromptly.clock() AS now) AS c
ON CONFLICT (email) DO UPDATE SET role = excluded.role, vouched = false
RETURNING *;

-- name: OperatorVouch :one
-- OperatorVouch adds an operator with the role that an identity provider asserts, or gives an existing one that role; changed says whether the role is new.
WITH vouched AS (
  INSERT INTO sendpromptly.operators (email, role, vouched, created_at, created_by)
  SELECT sqlc.arg(email), sqlc.arg(role), true, c.now, 'oidc' FROM (SELECT sendpromptly.clock() AS now) AS c
  ON CONFLICT (email) DO UPDATE SET role = excluded.role, vouched = true)
SELECT (NOT EXISTS (SELECT 1 FROM sendpromptly.operators AS o WHERE o.email = sqlc.arg(email) AND o.role = sqlc.arg(role)))::boolean AS changed;

-- name: OperatorGet :one
-- OperatorGet reads one operator.
SELECT * FROM sendpromptly.operators AS o WHERE o.email = sqlc.arg(email);

-- name: OperatorList :many
-- OperatorList reads all operators by email.
SELECT * FROM sendpromptly.operators AS o ORDER BY o.email LIMIT 1000;

-- name: OperatorLockAdmins :many
-- OperatorLockAdmins locks the admins, so that two changes cannot remove the last two.
SELECT o.email FROM sendpromptly.operators AS o WHERE o.role = 'admin' ORDER BY o.email FOR UPDATE;

-- name: OperatorSetRole :execrows
-- OperatorSetRole changes an operator's role.
UPDATE sendpromptly.operators AS o SET role = sqlc.arg(role), vouched = false WHERE o.email = sqlc.arg(email);

-- name: OperatorRemove :execrows
-- OperatorRemove removes an operator.
DELETE FROM sendpromptly.operators AS o WHERE o.email = sqlc.arg(email);

-- name: OperatorLoggedIn :one
-- OperatorLoggedIn records a login and returns its time.
UPDATE sendpromptly.operators AS o SET last_login_at = (SELECT sendpromptly.clock()) WHERE o.email = sqlc.arg(email)
RETURNING *;

-- name: OperatorSession :one
-- OperatorSession reads the operator of a session, unless the operator was removed since then or the login is 12 hours old; recent is 15 minutes.
SELECT sqlc.embed(o), (sqlc.arg(logged_in_at)::timestamptz > (SELECT sendpromptly.clock()) - interval '15 minutes')::boolean AS recent
FROM sendpromptly.operators AS o
WHERE o.email = sqlc.arg(email) AND o.created_at <= sqlc.arg(logged_in_at)::timestamptz
  AND sqlc.arg(logged_in_at)::timestamptz > (SELECT sendpromptly.clock()) - interval '12 hours';

-- name: AccessConfigured :one
-- AccessConfigured says whether anybody can log in: an operator who has logged in or was invited by name, or a token.
SELECT (EXISTS (SELECT 1 FROM sendpromptly.operators AS o WHERE o.email <> sqlc.arg(first) OR o.last_login_at IS NOT NULL)
  OR EXISTS (SELECT 1 FROM sendpromptly.tokens AS t WHERE t.revoked_at IS NULL AND coalesce(t.expires_at > (SELECT sendpromptly.clock()), true)))::boolean AS configured;

-- name: LoginLinkCreate :exec
-- LoginLinkCreate adds a one-time link of 15 minutes.
INSERT INTO sendpromptly.login_links (link_hash, email, created_at, expires_at)
SELECT sqlc.arg(link_hash), sqlc.arg(email), c.now, c.now + interval '15 minutes' FROM (SELECT sendpromptly.clock() AS now) AS c;

-- name: LoginLinkFresh :one
-- LoginLinkFresh says whether a link was made for the address within the last minute.
SELECT EXISTS (SELECT 1 FROM sendpromptly.login_links AS l WHERE l.email = sqlc.arg(email)
  AND l.created_at > (SELECT sendpromptly.clock()) - interval '1 minute')::boolean AS fresh;

-- name: LoginLinkUse :one
-- LoginLinkUse uses up a link that has not expired; no row comes back the second time.
DELETE FROM sendpromptly.login_links AS l WHERE l.link_hash = sqlc.arg(link_hash) AND l.expires_at > (SELECT sendpromptly.clock())
RETURNING l.email;

-- name: LoginLinkRemove :exec
-- LoginLinkRemove revokes the links of an address.
DELETE FROM sendpromptly.login_links AS l WHERE l.email = sqlc.arg(email);
