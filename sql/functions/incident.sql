-- What happens to an incident, independent of the signal: it opens, its repair or wait fails, its attempt ends.

-- Only this function opens incidents: for the sweep (cause missing) and for a failure. The caller has just deleted the owed
-- rows and written the entries that say why.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.open_incidents(project_ids integer[], effect_ids uuid[], cause text, at timestamptz,
    error_code text, error_message text) RETURNS integer
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
  v_seed record := sendpromptly.uuid7_seed(at);
  v_opened integer;
BEGIN
  WITH born AS (
    INSERT INTO sendpromptly.incidents (incident_id, effect_id, project_id, state, cause, opened_at, error_code, error_message)
    SELECT sendpromptly.uuid7_nth(v_seed.head, v_seed.tail, v_seed.stride, u.n), u.effect_id, u.project_id, open_incidents.cause, open_incidents.cause,
      open_incidents.at, open_incidents.error_code, open_incidents.error_message
    FROM unnest(project_ids, effect_ids) WITH ORDINALITY AS u(project_id, effect_id, n)
    RETURNING project_id, incident_id, effect_id
  ), told AS (
    INSERT INTO sendpromptly.entries (effect_id, at, project_id, kind, cause)
    SELECT b.effect_id, open_incidents.at, b.project_id, 'opened', open_incidents.cause FROM born AS b
  ), alerted AS (
    INSERT INTO sendpromptly.outbox (due_at, incident_id, project_id)
    SELECT open_incidents.at + CASE open_incidents.cause WHEN 'failed' THEN p.alert_after_failed ELSE p.alert_after_missing END,
      b.incident_id, b.project_id
    FROM born AS b JOIN sendpromptly.projects AS p ON p.project_id = b.project_id
  ), fed AS (
    INSERT INTO sendpromptly.changes (subject_id, at, project_id, kind, what)
    SELECT b.incident_id, open_incidents.at, b.project_id, 'incident', 'opened' FROM born AS b
  )
  SELECT count(*) INTO v_opened FROM born;
  RETURN v_opened;
END
$$;
-- +goose StatementEnd

-- Incidents that were just opened, as a JSON array for the engine's log; null for more than ten, which the engine only
-- counts.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.told_incidents(project_ids integer[], effect_ids uuid[]) RETURNS text
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_hashjoin = off
  SET enable_mergejoin = off SET jit = off AS $$
BEGIN
  IF cardinality(effect_ids) > 10 THEN
    RETURN NULL;
  END IF;
  RETURN (SELECT json_agg(json_build_object('project', p.name, 'incident_id', i.incident_id, 'effect_id', i.effect_id,
      'provider', sendpromptly.full_name(e.provider), 'event_id', e.event_id, 'effect', sendpromptly.full_name(e.effect), 'cause', i.cause)
      ORDER BY i.incident_id)
    FROM unnest(project_ids, effect_ids) AS u(project_id, effect_id)
    JOIN sendpromptly.incidents AS i ON i.project_id = u.project_id AND i.effect_id = u.effect_id
    JOIN sendpromptly.effects AS e ON e.project_id = u.project_id AND e.effect_id = u.effect_id
    JOIN sendpromptly.projects AS p ON p.project_id = u.project_id);
END
$$;
-- +goose StatementEnd

-- An open incident whose repair or wait ended in a failure: missing and reprocessing become failed. The caller has locked
-- the incident and written the entry.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.mark_failed(incident sendpromptly.incidents, result text, error_code text, error_message text) RETURNS void
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
  v_now timestamptz := sendpromptly.clock();
BEGIN
  UPDATE sendpromptly.incidents AS i SET state = 'failed', cause = 'failed', due_at = NULL, revision = i.revision + 1,
    error_code = coalesce(mark_failed.error_code, i.error_code), error_message = coalesce(mark_failed.error_message, i.error_message)
  WHERE i.project_id = incident.project_id AND i.incident_id = incident.incident_id;
  IF incident.state = 'reprocessing' THEN
    PERFORM sendpromptly.finish_attempt(incident.project_id, incident.replay_id, result, v_now);
  END IF;
  INSERT INTO sendpromptly.changes (subject_id, at, project_id, kind, what)
  VALUES (incident.incident_id, v_now, incident.project_id, 'incident', 'failed');
END
$$;
-- +goose StatementEnd

-- The end of an attempt, in whatever way it ended: its remaining tries are cancelled. The last lease token stays, so that an
-- answer that arrives later is recorded. The condition selects callbacks that have not ended, instead of live ones: the
-- index of live callbacks would match that too, and it lists all of the project's.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.finish_attempt(project_id integer, replay_id uuid, result text, at timestamptz) RETURNS void
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
  UPDATE sendpromptly.attempts AS a SET finished_at = finish_attempt.at, result = finish_attempt.result
  WHERE a.project_id = finish_attempt.project_id AND a.replay_id = finish_attempt.replay_id AND a.finished_at IS NULL;
  UPDATE sendpromptly.callbacks AS c SET state = 'cancelled'
  WHERE c.project_id = finish_attempt.project_id AND c.replay_id = finish_attempt.replay_id AND c.state NOT IN ('accepted', 'gave_up', 'cancelled');
END
$$;
-- +goose StatementEnd
