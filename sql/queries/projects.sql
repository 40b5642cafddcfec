-- name: ProjectGet :one
-- ProjectGet reads one project by its name.
SELECT sqlc.embed(p), extract(epoch FROM p.timeout)::float8 AS timeout_seconds,
  extract(epoch FROM p.alert_after_failed)::float8 AS after_failed_seconds, extract(epoch FROM p.alert_after_missing)::float8 AS after_missing_seconds,
  coalesce(extract(epoch FROM p.retention), 0)::float8 AS retention_seconds
FROM sendpromptly.projects AS p WHERE p.name = sqlc.arg(name);

-- name: ProjectList :many
-- ProjectList reads all projects by name.
SELECT sqlc.embed(p), extract(epoch FROM p.timeout)::float8 AS timeout_seconds,
  extract(epoch FROM p.alert_after_failed)::float8 AS after_failed_seconds, extract(epoch FROM p.alert_after_missing)::float8 AS after_missing_seconds,
  coalesce(extract(epoch FROM p.retention), 0)::float8 AS retention_seconds
FROM sendpromptly.projects AS p ORDER BY p.name;

-- name: ProjectCreate :one
-- ProjectCreate adds a project; no row comes back if the name is taken.
INSERT INTO sendpromptly.projects (id, name, created_at)
SELECT sendpromptly.uuid7(c.now), sqlc.arg(name), c.now FROM (SELECT sendpromptly.clock() AS now) AS c
ON CONFLICT (name) DO NOTHING
RETURNING project_id, id;

-- name: ProjectSet :exec
-- ProjectSet changes the settings that are given; null keeps a setting, an empty text clears it.
UPDATE sendpromptly.projects AS p SET
  mode = CASE WHEN sqlc.narg(mode)::text IS NULL THEN p.mode ELSE nullif(sqlc.narg(mode)::text, '') END,
  timeout = coalesce(sqlc.narg(timeout)::text::interval, p.timeout),
  repair_url = CASE WHEN sqlc.narg(repair_url)::text IS NULL THEN p.repair_url ELSE nullif(sqlc.narg(repair_url)::text, '') END,
  signature_prefix = coalesce(sqlc.narg(signature_prefix)::boolean, p.signature_prefix),
  public_name = CASE WHEN sqlc.narg(public_name)::text IS NULL THEN p.public_name ELSE nullif(sqlc.narg(public_name)::text, '') END,
  support_contact = CASE WHEN sqlc.narg(support_contact)::text IS NULL THEN p.support_contact ELSE nullif(sqlc.narg(support_contact)::text, '') END,
  snapshots = coalesce(sqlc.narg(snapshots)::boolean, p.snapshots),
  suspended = coalesce(sqlc.narg(suspended)::boolean, p.suspended),
  alert_after_failed = coalesce(sqlc.narg(alert_after_failed)::text::interval, p.alert_after_failed),
  alert_after_missing = coalesce(sqlc.narg(alert_after_missing)::text::interval, p.alert_after_missing),
  retention = CASE WHEN sqlc.narg(retention)::text IS NULL THEN p.retention ELSE nullif(sqlc.narg(retention)::text, '')::interval END
WHERE p.project_id = sqlc.arg(project_id);

-- name: SettingsChanged :exec
-- SettingsChanged adds a change of settings to the feed.
INSERT INTO sendpromptly.changes (subject_id, at, project_id, kind, what)
SELECT p.id, (SELECT sendpromptly.clock()), p.project_id, 'settings', sqlc.arg(what)::text FROM sendpromptly.projects AS p WHERE p.project_id = sqlc.arg(project_id);

-- name: AuditAdd :exec
-- AuditAdd records what an operator did.
INSERT INTO sendpromptly.audit (project_id, audit_id, at, actor, action, subject, detail)
SELECT sqlc.arg(project_id), sendpromptly.uuid7(c.now), c.now, sqlc.arg(actor), sqlc.arg(action), sqlc.arg(subject), sqlc.narg(detail)
FROM (SELECT sendpromptly.clock() AS now) AS c;

-- name: IncidentProject :one
-- IncidentProject finds the project of an incident.
SELECT p.name FROM sendpromptly.projects AS p WHERE EXISTS (
  SELECT 1 FROM sendpromptly.incidents AS i WHERE i.project_id = p.project_id AND i.incident_id = sqlc.arg(incident_id)::uuid);

-- name: EffectProject :one
-- EffectProject finds the project of an effect.
SELECT p.name FROM sendpromptly.projects AS p WHERE EXISTS (
  SELECT 1 FROM sendpromptly.effects AS e WHERE e.project_id = p.project_id AND e.effect_id = sqlc.arg(effect_id)::uuid);

-- name: PlanProject :one
-- PlanProject finds the project of a plan.
SELECT p.name FROM sendpromptly.projects AS p WHERE EXISTS (
  SELECT 1 FROM sendpromptly.plans AS n WHERE n.project_id = p.project_id AND n.plan_id = sqlc.arg(plan_id)::uuid);

-- name: ViewProject :one
-- ViewProject finds the project of a saved view.
SELECT p.name FROM sendpromptly.projects AS p WHERE EXISTS (
  SELECT 1 FROM sendpromptly.saved_views AS v WHERE v.project_id = p.project_id AND v.view_id = sqlc.arg(view_id)::uuid);
