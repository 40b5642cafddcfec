-- name: AuditList :many
-- AuditList pages through the audit log, newest first; project null reads all projects and the deployment's own entries.
SELECT a.audit_id, a.at, a.actor, a.action, a.subject, a.detail, coalesce(p.name, '')::text AS project
FROM sendpromptly.audit AS a LEFT JOIN sendpromptly.projects AS p ON p.project_id = a.project_id
WHERE a.audit_id < sqlc.arg(before)::uuid
  AND (sqlc.narg(project_id)::int IS NULL OR a.project_id = sqlc.narg(project_id)::int)
  AND (sqlc.narg(actor)::text IS NULL OR a.actor = sqlc.narg(actor)::text)
  AND (sqlc.narg(action)::text IS NULL OR a.action ^@ sqlc.narg(action)::text)
ORDER BY a.audit_id DESC LIMIT sqlc.arg(page)::int;
