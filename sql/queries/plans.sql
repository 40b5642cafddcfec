-- name: PlanCreate :one
-- PlanCreate freezes the set of a plan; size is -1 if the set is too large.
-- create_plan is defined in sql/functions/plans.sql.
SELECT coalesce(r.plan_id::text, '')::text AS plan_id, r.size::int AS size FROM sendpromptly.create_plan(sqlc.arg(project)::text, sqlc.arg(action)::text,
  sqlc.arg(filter)::text, sqlc.narg(note)::text, sqlc.arg(operator)::text, sqlc.arg(most)::int) AS r(plan_id, size);

-- name: PlanStart :execrows
-- PlanStart starts a plan that was not started before and has this size.
UPDATE sendpromptly.plans AS p SET started_at = (SELECT sendpromptly.clock()), started_by = sqlc.arg(operator)::text
WHERE p.project_id = sqlc.arg(project_id) AND p.plan_id = sqlc.arg(plan_id) AND p.started_at IS NULL AND p.finished_at IS NULL AND p.size = sqlc.arg(size);

-- name: PlanStop :execrows
-- PlanStop ends a plan: it changes no further incidents.
UPDATE sendpromptly.plans AS p SET finished_at = (SELECT sendpromptly.clock()), stopped_by = sqlc.arg(operator)::text
WHERE p.project_id = sqlc.arg(project_id) AND p.plan_id = sqlc.arg(plan_id) AND p.finished_at IS NULL;

-- name: PlanStopItems :exec
-- PlanStopItems marks the incidents that a stopped plan has not reached.
UPDATE sendpromptly.plan_items AS i SET outcome = 'stopped'
WHERE i.project_id = sqlc.arg(project_id) AND i.plan_id = sqlc.arg(plan_id) AND i.outcome IS NULL;

-- name: PlanGet :one
-- PlanGet reads one plan.
SELECT p.* FROM sendpromptly.plans AS p WHERE p.project_id = sqlc.arg(project_id) AND p.plan_id = sqlc.arg(plan_id);

-- name: PlanList :many
-- PlanList reads the newest 50 plans of a project.
SELECT p.* FROM sendpromptly.plans AS p WHERE p.project_id = sqlc.arg(project_id) ORDER BY p.plan_id DESC LIMIT 50;

-- name: PlanResults :many
-- PlanResults counts a plan's incidents by outcome.
SELECT (CASE WHEN i.outcome IS NULL THEN 'waiting' WHEN i.outcome <> 'requested' THEN i.outcome
    ELSE coalesce((SELECT a.result FROM sendpromptly.attempts AS a WHERE a.project_id = i.project_id AND a.replay_id = i.replay_id), 'in_flight') END)::text AS result,
  count(*)::int AS incidents
FROM sendpromptly.plan_items AS i WHERE i.project_id = sqlc.arg(project_id) AND i.plan_id = sqlc.arg(plan_id)
GROUP BY 1 ORDER BY 1;

-- name: PlanItemClaim :one
-- PlanItemClaim takes the next incident of a running plan; project is empty if there is none.
-- claim_plan_item is defined in sql/functions/plans.sql.
SELECT coalesce(r.project, '')::text AS project, coalesce(r.project_id, 0)::int AS project_id, coalesce(r.plan_id::text, '')::text AS plan_id,
  coalesce(r.incident_id::text, '')::text AS incident_id, coalesce(r.revision, 0)::int AS revision, coalesce(r.action, '')::text AS action,
  coalesce(r.operator, '')::text AS operator, coalesce(r.note, '')::text AS note
FROM sendpromptly.claim_plan_item(sqlc.arg(in_flight)::int)
  AS r(project, project_id, plan_id, incident_id, revision, action, operator, note);

-- name: PlanItemFinish :exec
-- PlanItemFinish records the result of a plan's item.
-- finish_plan_item is defined in sql/functions/plans.sql.
SELECT sendpromptly.finish_plan_item(sqlc.arg(project_id)::int, sqlc.arg(plan_id)::uuid, sqlc.arg(incident_id)::uuid, sqlc.arg(outcome)::text,
  sqlc.narg(replay_id)::uuid, sqlc.narg(error)::text);
