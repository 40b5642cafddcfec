-- name: AlertDestinationSet :exec
-- AlertDestinationSet says where a project's alerts go on one channel; a null secret leaves the stored one.
INSERT INTO sendpromptly.alert_destinations AS d (project_id, channel, target, secret, sealed, shown)
VALUES (sqlc.arg(project_id), sqlc.arg(channel), sqlc.arg(target), sqlc.narg(secret), sqlc.arg(sealed), sqlc.arg(shown))
ON CONFLICT (project_id, channel) DO UPDATE SET target = excluded.target, secret = excluded.secret, sealed = excluded.sealed, shown = excluded.shown;

-- name: AlertDestinationDelete :exec
-- AlertDestinationDelete ends the alerts of a project on one channel.
DELETE FROM sendpromptly.alert_destinations AS d WHERE d.project_id = sqlc.arg(project_id) AND d.channel = sqlc.arg(channel);

-- name: AlertDestinationList :many
-- AlertDestinationList reads where a project's alerts go.
SELECT d.* FROM sendpromptly.alert_destinations AS d WHERE d.project_id = sqlc.arg(project_id) ORDER BY d.channel;

-- name: AlertDestinationShown :many
-- AlertDestinationShown reads the parts of the destinations that a list may show.
SELECT d.project_id, d.channel, d.shown FROM sendpromptly.alert_destinations AS d ORDER BY d.project_id, d.channel;

-- name: AlertGather :one
-- AlertGather turns due outbox rows into messages.
-- gather_alerts is defined in sql/functions/alerts.sql.
SELECT r::int AS taken FROM sendpromptly.gather_alerts(sqlc.arg(batch)::int) AS r;

-- name: AlertClaim :many
-- AlertClaim leases deliveries for a minute.
-- claim_alerts is defined in sql/functions/alerts.sql.
SELECT r.project_id::int AS project_id, r.alert_id::uuid AS alert_id, r.channel::text AS channel, r.try::int AS try, r.token::uuid AS token,
  p.name AS project, coalesce(p.mode, '')::text AS mode
FROM sendpromptly.claim_alerts(sqlc.arg(batch)::int) AS r(project_id, alert_id, channel, try, token)
JOIN sendpromptly.projects AS p ON p.project_id = r.project_id;

-- name: AlertComplete :one
-- AlertComplete records the result of a delivery.
-- complete_alert is defined in sql/functions/alerts.sql.
SELECT r::boolean AS done FROM sendpromptly.complete_alert(sqlc.arg(project_id)::int, sqlc.arg(alert_id)::uuid, sqlc.arg(channel)::text,
  sqlc.arg(token)::uuid, sqlc.narg(error)::text, sqlc.narg(retry_in)::text::interval, sqlc.arg(dropped)::boolean) AS r;

-- name: AlertGroupList :many
-- AlertGroupList counts a message's open incidents by cause, provider, event type and effect.
SELECT i.cause, r.provider::text AS provider, coalesce(r.event_type, '')::text AS event_type, r.effect::text AS effect, count(*)::int AS incidents,
  min(i.opened_at)::timestamptz AS first_at, max(i.opened_at)::timestamptz AS last_at
FROM sendpromptly.alert_incidents AS m
CROSS JOIN LATERAL (SELECT o.* FROM sendpromptly.incidents AS o
  WHERE o.project_id = m.project_id AND o.incident_id = m.incident_id AND sendpromptly.is_open(o.state) LIMIT 1) AS i
CROSS JOIN LATERAL (SELECT f.* FROM sendpromptly.receipts AS f WHERE f.project_id = i.project_id AND f.effect_id = i.effect_id LIMIT 1) AS r
WHERE m.project_id = sqlc.arg(project_id) AND m.alert_id = sqlc.arg(alert_id)
GROUP BY i.cause, r.provider, r.event_type, r.effect ORDER BY count(*) DESC, i.cause, r.provider, r.event_type, r.effect LIMIT 1000;

-- name: AlertIncidentList :many
-- AlertIncidentList reads the first open incidents of a message.
SELECT i.incident_id, i.cause, i.opened_at, r.provider::text AS provider, coalesce(r.event_type, '')::text AS event_type, r.effect::text AS effect
FROM sendpromptly.alert_incidents AS m
CROSS JOIN LATERAL (SELECT o.* FROM sendpromptly.incidents AS o
  WHERE o.project_id = m.project_id AND o.incident_id = m.incident_id AND sendpromptly.is_open(o.state) LIMIT 1) AS i
CROSS JOIN LATERAL (SELECT f.* FROM sendpromptly.receipts AS f WHERE f.project_id = i.project_id AND f.effect_id = i.effect_id LIMIT 1) AS r
WHERE m.project_id = sqlc.arg(project_id) AND m.alert_id = sqlc.arg(alert_id)
ORDER BY m.incident_id LIMIT sqlc.arg(page)::int;

-- name: AlertTroubleCount :one
-- AlertTroubleCount counts alerts of the last week that were given up, and those that are an hour late.
SELECT count(*) FILTER (WHERE a.state = 'gave_up')::int AS gave_up,
  count(*) FILTER (WHERE a.state IN ('waiting', 'leased') AND a.made_at < (SELECT sendpromptly.clock()) - interval '1 hour')::int AS late,
  (SELECT count(*) FROM (SELECT 1 FROM sendpromptly.outbox AS o
    WHERE o.due_at < (SELECT sendpromptly.clock()) - interval '10 minutes'
      AND EXISTS (SELECT 1 FROM sendpromptly.alert_destinations AS d WHERE d.project_id = o.project_id) LIMIT 100001) AS waiting)::int AS unsent
FROM sendpromptly.alerts AS a WHERE a.made_at > (SELECT sendpromptly.clock()) - interval '7 days';
