-- name: ViewList :many
-- ViewList reads a project's saved views by name.
SELECT v.* FROM sendpromptly.saved_views AS v WHERE v.project_id = sqlc.arg(project_id) ORDER BY v.name LIMIT 200;

-- name: ViewSave :one
-- ViewSave saves a filter by name and replaces the one with that name; no row comes back if there are 200 already.
INSERT INTO sendpromptly.saved_views AS v (project_id, view_id, name, filter, created_by, created_at)
SELECT sqlc.arg(project_id), sendpromptly.uuid7(c.now), sqlc.arg(name), sqlc.arg(filter), sqlc.arg(operator), c.now
FROM (SELECT sendpromptly.clock() AS now) AS c
WHERE (SELECT count(*) FROM sendpromptly.saved_views AS o WHERE o.project_id = sqlc.arg(project_id) AND o.name <> sqlc.arg(name)) < 200
ON CONFLICT (project_id, name) DO UPDATE SET filter = excluded.filter, created_by = excluded.created_by, created_at = excluded.created_at
RETURNING v.*;

-- name: ViewDelete :execrows
-- ViewDelete removes a saved view.
DELETE FROM sendpromptly.saved_views AS v WHERE v.project_id = sqlc.arg(project_id) AND v.view_id = sqlc.arg(view_id);
