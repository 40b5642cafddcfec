-- name: IncidentReprocess :one
-- IncidentReprocess requests a repair from the app.
-- reprocess is defined in sql/functions/actions.sql.
SELECT coalesce(r.state, '')::text AS state, coalesce(r.refusal, '')::text AS refusal, coalesce(r.replay_id::text, '')::text AS replay_id,
  coalesce(r.number, 0)::int AS number, coalesce(r.requested_at, 'epoch')::timestamptz AS requested_at, coalesce(r.due_at, 'epoch')::timestamptz AS due_at,
  coalesce(r.revision, 0)::int AS revision
FROM sendpromptly.reprocess(sqlc.arg(incident_id)::uuid, sqlc.arg(operator)::text, sqlc.arg(last_try)::text::interval, sqlc.arg(project)::text,
  sqlc.narg(revision)::int) AS r(state, refusal, replay_id, number, requested_at, due_at, revision);

-- name: IncidentStop :one
-- IncidentStop ends the attempt in flight.
-- stop is defined in sql/functions/actions.sql.
SELECT coalesce(r.state, '')::text AS state, coalesce(r.refusal, '')::text AS refusal, coalesce(r.revision, 0)::int AS revision
FROM sendpromptly.stop(sqlc.arg(incident_id)::uuid, sqlc.arg(operator)::text, sqlc.arg(project)::text, sqlc.narg(revision)::int) AS r(state, refusal, revision);

-- name: IncidentClose :one
-- IncidentClose closes an incident with a note.
-- close is defined in sql/functions/actions.sql.
SELECT coalesce(r.state, '')::text AS state, coalesce(r.refusal, '')::text AS refusal, coalesce(r.revision, 0)::int AS revision
FROM sendpromptly.close(sqlc.arg(incident_id)::uuid, sqlc.arg(operator)::text, sqlc.arg(note)::text, sqlc.arg(project)::text,
  sqlc.narg(revision)::int) AS r(state, refusal, revision);

-- name: IncidentReopen :one
-- IncidentReopen opens a closed incident again.
-- reopen is defined in sql/functions/actions.sql.
SELECT coalesce(r.state, '')::text AS state, coalesce(r.refusal, '')::text AS refusal, coalesce(r.revision, 0)::int AS revision
FROM sendpromptly.reopen(sqlc.arg(incident_id)::uuid, sqlc.arg(operator)::text, sqlc.arg(note)::text, sqlc.arg(project)::text,
  sqlc.narg(revision)::int) AS r(state, refusal, revision);

-- name: IncidentNote :one
-- IncidentNote writes a note into the timeline.
-- note is defined in sql/functions/actions.sql.
SELECT coalesce(r.state, '')::text AS state, coalesce(r.refusal, '')::text AS refusal, coalesce(r.revision, 0)::int AS revision
FROM sendpromptly.note(sqlc.arg(incident_id)::uuid, sqlc.arg(operator)::text, sqlc.arg(note)::text, sqlc.arg(project)::text,
  sqlc.narg(revision)::int) AS r(state, refusal, revision);

-- name: IncidentTryNow :one
-- IncidentTryNow sends the waiting callback at once.
-- try_now is defined in sql/functions/actions.sql.
SELECT coalesce(r.state, '')::text AS state, coalesce(r.refusal, '')::text AS refusal, coalesce(r.revision, 0)::int AS revision
FROM sendpromptly.try_now(sqlc.arg(incident_id)::uuid, sqlc.arg(operator)::text, sqlc.arg(project)::text, sqlc.narg(revision)::int) AS r(state, refusal, revision);

-- name: IncidentGet :one
-- IncidentGet reads one incident with its effect.
SELECT sqlc.embed(i), sqlc.embed(e) FROM sendpromptly.incidents AS i
JOIN sendpromptly.receipts AS e ON e.project_id = i.project_id AND e.effect_id = i.effect_id
WHERE i.project_id = (SELECT p.project_id FROM sendpromptly.projects AS p WHERE p.name = sqlc.arg(project)) AND i.incident_id = sqlc.arg(incident_id);

-- name: IncidentGetByEffect :one
-- IncidentGetByEffect reads the incident of one effect.
SELECT sqlc.embed(i), sqlc.embed(e) FROM sendpromptly.incidents AS i
JOIN sendpromptly.receipts AS e ON e.project_id = i.project_id AND e.effect_id = i.effect_id
WHERE i.project_id = (SELECT p.project_id FROM sendpromptly.projects AS p WHERE p.name = sqlc.arg(project)) AND i.effect_id = sqlc.arg(effect_id);

-- name: IncidentList :many
-- IncidentList reads one page of incidents with their effects, newest first.
-- incident_page is defined in sql/functions/incident_list.sql.
SELECT sqlc.embed(i), sqlc.embed(e)
FROM sendpromptly.incident_page(sqlc.arg(project)::text, sqlc.arg(before)::uuid, sqlc.arg(page)::int, sqlc.arg(walk)::int,
  sqlc.arg(filter)::text::json) AS page(project_id, incident_id)
JOIN sendpromptly.incidents AS i ON i.project_id = page.project_id AND i.incident_id = page.incident_id
JOIN sendpromptly.receipts AS e ON e.project_id = i.project_id AND e.effect_id = i.effect_id
ORDER BY i.incident_id DESC;

-- name: IncidentWalkEnd :one
-- IncidentWalkEnd reads where IncidentList stopped, empty if it read all.
-- incident_walk_end is defined in sql/functions/incident_list.sql.
SELECT coalesce(sendpromptly.incident_walk_end(sqlc.arg(project)::text, sqlc.arg(before)::uuid, sqlc.arg(walk)::int,
  sqlc.arg(filter)::text::json)::text, '')::text AS incident_id;

-- name: IncidentCount :one
-- IncidentCount counts what a filter selects, up to a bound.
-- incident_count is defined in sql/functions/incident_list.sql.
SELECT coalesce(r.fitting, 0)::int AS fitting, coalesce(r.capped, false)::boolean AS capped
FROM sendpromptly.incident_count(sqlc.arg(project)::text, sqlc.arg(filter)::text::json, sqlc.arg(walk)::int) AS r(fitting, capped);

-- name: AttemptList :many
-- AttemptList reads the newest 100 attempts of an incident with the state of their callbacks.
SELECT sqlc.embed(a), c.state AS callback_state, c.try, c.next_at, c.effect_id FROM sendpromptly.attempts AS a
JOIN sendpromptly.callbacks AS c ON c.project_id = a.project_id AND c.replay_id = a.replay_id
WHERE a.project_id = sqlc.arg(project_id) AND a.incident_id = sqlc.arg(incident_id)
ORDER BY a.number DESC LIMIT 100;

-- name: CallbackEntryList :many
-- CallbackEntryList reads the newest 1,000 answered callbacks of an effect.
SELECT n.* FROM sendpromptly.entries AS n
WHERE n.project_id = sqlc.arg(project_id) AND n.effect_id = sqlc.arg(effect_id) AND n.kind = 'callback'
ORDER BY n.entry_id DESC LIMIT 1000;

-- name: TimelineList :many
-- TimelineList pages through the entries of one effect; seq and hash are null until sealed.
-- timeline is defined in sql/functions/chain.sql.
SELECT t.entry_id::bigint AS entry_id, t.kind::text AS kind, t.at::timestamptz AS at, coalesce(t.state, '')::text AS state,
  coalesce(t.cause, '')::text AS cause, coalesce(t.actor, '')::text AS actor, coalesce(t.replay_id, '')::text AS replay_id,
  coalesce(t.error_code, '')::text AS error_code, coalesce(t.error_message, '')::text AS error_message, coalesce(t.note, '')::text AS note,
  coalesce(t.url, '')::text AS url, coalesce(t.status, 0)::int AS status, coalesce(t.duration_ms, 0)::int AS duration_ms,
  coalesce(t.answer, '')::text AS answer, coalesce(s.seq, 0)::int AS seq, s.hash
FROM sendpromptly.timeline((SELECT p.project_id FROM sendpromptly.projects AS p WHERE p.name = sqlc.arg(project)), sqlc.arg(effect_id)::uuid)
  AS t(entry_id, kind, at, state, cause, actor, replay_id, error_code, error_message, note, url, status, duration_ms, answer)
LEFT JOIN sendpromptly.seals AS s ON s.project_id = (SELECT p.project_id FROM sendpromptly.projects AS p WHERE p.name = sqlc.arg(project))
  AND s.effect_id = sqlc.arg(effect_id)::uuid AND s.entry_id = t.entry_id
WHERE t.entry_id > sqlc.arg(after)::bigint
ORDER BY t.entry_id LIMIT sqlc.arg(page)::int;
