-- name: ProofIssue :one
-- ProofIssue seals the chain of an incident and records a proof of its head.
-- issue_proof is defined in sql/functions/proofs.sql.
SELECT f.project_id::int AS project_id, f.jti::uuid AS jti, f.effect_id::uuid AS effect_id, f.issued_at::timestamptz AS issued_at, f.expires_at::timestamptz AS expires_at,
  f.head_seq::int AS head_seq, f.head_hash::bytea AS head_hash
FROM sendpromptly.issue_proof(sqlc.arg(incident_id)::uuid, sqlc.arg(issuer)::text, sqlc.narg(audience)::text, sqlc.arg(lifetime)::text::interval,
  sqlc.arg(operator)::text, sqlc.narg(project)::text) AS f;

-- name: ProofRevoke :one
-- ProofRevoke ends a proof before its time.
-- revoke_proof is defined in sql/functions/proofs.sql.
SELECT f.jti::uuid AS jti FROM sendpromptly.revoke_proof(sqlc.arg(jti)::uuid, sqlc.arg(operator)::text, sqlc.narg(project)::text) AS f;

-- name: ProofGet :one
-- ProofGet reads one proof with the name of its project.
SELECT p.name AS project, sqlc.embed(f) FROM sendpromptly.projects AS p
JOIN sendpromptly.proofs AS f ON f.project_id = p.project_id AND f.jti = sqlc.arg(jti)::uuid;

-- name: ProofList :many
-- ProofList reads one page of proofs, newest first, for all projects and incidents or for one.
SELECT p.name AS project, sqlc.embed(f) FROM sendpromptly.projects AS p
JOIN sendpromptly.proofs AS f ON f.project_id = p.project_id AND f.jti < sqlc.arg(before)::uuid
WHERE (sqlc.narg(project)::text IS NULL OR p.name = sqlc.narg(project)::text)
  AND (sqlc.narg(incident_id)::uuid IS NULL OR f.incident_id = sqlc.narg(incident_id)::uuid)
ORDER BY f.jti DESC LIMIT sqlc.arg(page)::int;

-- name: ProofCountView :exec
-- ProofCountView records that a proof's page was opened.
-- count_view is defined in sql/functions/proofs.sql.
SELECT sendpromptly.count_view(f.project_id, f.jti) FROM sendpromptly.projects AS p
JOIN sendpromptly.proofs AS f ON f.project_id = p.project_id AND f.jti = sqlc.arg(jti)::uuid;

-- name: CustomerErase :one
-- CustomerErase erases a batch of effects of a customer or a subject, or one effect if it may wait for locks.
-- erase is defined in sql/functions/erase.sql.
SELECT r.taken::int AS taken, r.open::int AS open
FROM sendpromptly.erase(sqlc.arg(project)::text, sqlc.narg(customer)::text, sqlc.narg(subject)::text, sqlc.arg(operator)::text, sqlc.arg(batch)::int,
  sqlc.arg(patient)::boolean) AS r(taken, open);

-- name: IncidentEffect :one
-- IncidentEffect finds the effect of an incident.
SELECT i.project_id, i.effect_id FROM sendpromptly.projects AS p
JOIN sendpromptly.incidents AS i ON i.project_id = p.project_id AND i.incident_id = sqlc.arg(incident_id)::uuid;
