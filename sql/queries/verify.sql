-- name: VerifyS2 :many
-- VerifyS2 finds incidents that opened before their deadline or after a success.
SELECT format('incident %s opened at %s, before its deadline %s', i.incident_id, d.at, e.deadline)::text AS problem
FROM sendpromptly.incidents AS i
JOIN sendpromptly.effects AS e ON e.project_id = i.project_id AND e.effect_id = i.effect_id
JOIN LATERAL (SELECT min(n.at) AS at FROM sendpromptly.entries AS n
  WHERE n.project_id = i.project_id AND n.effect_id = i.effect_id AND n.kind = 'opened' AND n.cause = 'missing') AS d ON d.at < e.deadline
UNION ALL
SELECT format('incident %s opened after a success had been recorded', i.incident_id)::text
FROM sendpromptly.incidents AS i JOIN sendpromptly.effects AS e ON e.project_id = i.project_id AND e.effect_id = i.effect_id
WHERE e.succeeded_at < 'infinity'
UNION ALL
SELECT format('incident %s opened after a success had been recorded', i.incident_id)::text
FROM sendpromptly.incidents AS i
JOIN LATERAL (SELECT min(n.entry_id) FILTER (WHERE n.kind = 'success') AS success, min(n.entry_id) FILTER (WHERE n.kind = 'opened') AS opened
  FROM sendpromptly.entries AS n WHERE n.project_id = i.project_id AND n.effect_id = i.effect_id) AS f ON f.success < f.opened
LIMIT sqlc.arg(max_rows)::int;

-- name: VerifyS3 :many
-- VerifyS3 finds effects with more than one incident, and the loss of the index that prevents them.
SELECT format('effect %s has %s incidents', i.effect_id, count(*))::text AS problem
FROM sendpromptly.incidents AS i GROUP BY i.project_id, i.effect_id HAVING count(*) > 1
UNION ALL
SELECT 'the unique index sendpromptly.incidents_effect is missing or invalid'
WHERE NOT EXISTS (SELECT 1 FROM pg_catalog.pg_index AS x WHERE x.indexrelid = to_regclass('sendpromptly.incidents_effect') AND x.indisunique AND x.indisvalid)
LIMIT sqlc.arg(max_rows)::int;

-- name: VerifyS5 :many
-- VerifyS5 finds open incidents with a success, and effects overdue by more than the grace without an incident.
SELECT format('incident %s is %s although a success was recorded', i.incident_id, i.state)::text AS problem
FROM sendpromptly.incidents AS i
WHERE i.state IN ('failed', 'missing', 'reprocessing', 'closed')
  AND EXISTS (SELECT 1 FROM sendpromptly.entries AS n WHERE n.project_id = i.project_id AND n.effect_id = i.effect_id AND n.kind = 'success')
UNION ALL
SELECT format('effect %s has been overdue since %s without an incident%s', o.effect_id, o.deadline, ': ' || o.poisoned)::text
FROM sendpromptly.owed AS o
WHERE o.deadline < (SELECT sendpromptly.clock()) - sqlc.arg(grace)::text::interval
  AND (o.hold_until IS NULL OR o.hold_until < (SELECT sendpromptly.clock()) - sqlc.arg(grace)::text::interval OR o.poisoned IS NOT NULL)
UNION ALL
SELECT format('effect %s is owed and also has an incident', o.effect_id)::text
FROM sendpromptly.owed AS o JOIN sendpromptly.incidents AS i ON i.project_id = o.project_id AND i.effect_id = o.effect_id
UNION ALL
SELECT format('effect %s is owed although a success was recorded', e.effect_id)::text
FROM sendpromptly.effects AS e
WHERE e.succeeded_at < 'infinity'
  AND EXISTS (SELECT 1 FROM sendpromptly.owed AS o WHERE o.deadline = e.deadline AND o.project_id = e.project_id AND o.effect_id = e.effect_id)
UNION ALL
SELECT format('effect %s is neither owed nor settled', e.effect_id)::text
FROM sendpromptly.effects AS e
WHERE e.succeeded_at = 'infinity' AND NOT EXISTS (SELECT 1 FROM sendpromptly.owed AS o WHERE o.deadline = e.deadline AND o.project_id = e.project_id AND o.effect_id = e.effect_id)
  AND NOT EXISTS (SELECT 1 FROM sendpromptly.entries AS n WHERE n.project_id = e.project_id AND n.effect_id = e.effect_id AND n.state IS NOT NULL)
LIMIT sqlc.arg(max_rows)::int;

-- name: VerifyS6 :many
-- VerifyS6 checks that every entry that changed an effect's state is a listed move, and
-- that the tables give the state of the last such entry. legal lists the moves as
-- FROM|KIND|TO.
-- effect_state is defined in sql/functions/effect.sql.
WITH moves AS (
  SELECT n.project_id, n.effect_id, n.entry_id, n.kind, n.state,
    coalesce(lag(n.state) OVER (PARTITION BY n.project_id, n.effect_id ORDER BY n.entry_id), 'awaiting') AS before,
    row_number() OVER (PARTITION BY n.project_id, n.effect_id ORDER BY n.entry_id DESC) AS from_last
  FROM sendpromptly.entries AS n WHERE n.state IS NOT NULL
)
SELECT format('effect %s: entry %s is not a legal move: from %s by %s to %s', m.effect_id, m.entry_id, m.before, m.kind, m.state)::text AS problem
FROM moves AS m
WHERE m.before || '|' || m.kind || '|' || m.state <> ALL (sqlc.arg(legal)::text[])
UNION ALL
SELECT format('effect %s: the timeline says %s, the tables say %s', m.effect_id, m.state,
  sendpromptly.effect_state(e.project_id, e.effect_id, e.deadline))::text
FROM moves AS m JOIN sendpromptly.effects AS e ON e.project_id = m.project_id AND e.effect_id = m.effect_id
WHERE m.from_last = 1 AND m.state <> sendpromptly.effect_state(e.project_id, e.effect_id, e.deadline)
UNION ALL
SELECT format('incident %s has no entry that opened it, or more than one', i.incident_id)::text
FROM sendpromptly.incidents AS i
WHERE 1 <> (SELECT count(*) FROM sendpromptly.entries AS n WHERE n.project_id = i.project_id AND n.effect_id = i.effect_id AND n.kind = 'opened')
UNION ALL
SELECT format('%s has no effect: %s', orphan.what, orphan.effect_id)::text
FROM (
  SELECT 'an owed deadline' AS what, o.project_id, o.effect_id FROM sendpromptly.owed AS o
  UNION ALL SELECT 'an incident', i.project_id, i.effect_id FROM sendpromptly.incidents AS i
) AS orphan
WHERE NOT EXISTS (SELECT 1 FROM sendpromptly.effects AS e WHERE e.project_id = orphan.project_id AND e.effect_id = orphan.effect_id)
LIMIT sqlc.arg(max_rows)::int;

-- name: VerifyS7 :many
-- VerifyS7 finds callbacks without an attempt in flight, and attempts in flight that nothing would end.
SELECT format('callback %s is %s although its incident is %s', c.replay_id, c.state, coalesce(i.state, 'gone'))::text AS problem
FROM sendpromptly.callbacks AS c
LEFT JOIN sendpromptly.incidents AS i ON i.project_id = c.project_id AND i.incident_id = c.incident_id
WHERE c.state IN ('waiting', 'leased') AND (i.state IS DISTINCT FROM 'reprocessing' OR i.replay_id IS DISTINCT FROM c.replay_id)
UNION ALL
SELECT format('attempt %s was never finished although its incident is %s', a.replay_id, i.state)::text
FROM sendpromptly.attempts AS a JOIN sendpromptly.incidents AS i ON i.project_id = a.project_id AND i.incident_id = a.incident_id
WHERE a.finished_at IS NULL AND (i.state <> 'reprocessing' OR i.replay_id <> a.replay_id)
LIMIT sqlc.arg(max_rows)::int;
