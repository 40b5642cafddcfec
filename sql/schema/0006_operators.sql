-- +goose Up
-- What operators do to an incident. Each answers with the incident's state
-- afterwards and refusal: null when it was done, otherwise why not.

-- +goose StatementBegin
CREATE FUNCTION sendpromptly.lock_incident(incident_id uuid, project text) RETURNS sendpromptly.incidents
  LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
  SELECT i.* FROM sendpromptly.incidents AS i
  WHERE i.project_id = (SELECT p.project_id FROM sendpromptly.projects AS p WHERE p.name = lock_incident.project)
    AND i.incident_id = lock_incident.incident_id
  FOR NO KEY UPDATE
$$;
-- +goose StatementEnd

-- reprocess asks the app to repair: a new attempt and its callback, due at once.
-- last_try is how long after now the last scheduled try may start; the attempt
-- is due one timeout later.
-- +goose StatementBegin
CREATE FUNCTION sendpromptly.reprocess(incident_id uuid, operator text, last_try interval, project text DEFAULT 'default',
    OUT state text, OUT refusal text, OUT replay_id uuid, OUT number integer, OUT requested_at timestamptz, OUT due_at timestamptz)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
  v_incident sendpromptly.incidents := sendpromptly.lock_incident(incident_id, project);
BEGIN
  state := v_incident.state;
  refusal := CASE
    WHEN state IS NULL THEN 'not_found'
    WHEN state = 'reprocessing' THEN 'in_flight'
    WHEN state = 'applied' THEN 'applied'
    WHEN NOT EXISTS (SELECT 1 FROM sendpromptly.projects AS p WHERE p.project_id = v_incident.project_id AND p.repair_url IS NOT NULL) THEN 'no_repair_url'
  END;
  IF refusal IS NOT NULL THEN
    RETURN;
  END IF;
  requested_at := sendpromptly.clock();
  replay_id := sendpromptly.uuid7(requested_at);
  number := v_incident.attempt + 1;
  SELECT reprocess.requested_at + last_try + (e.deadline - e.accepted_at) INTO due_at
  FROM sendpromptly.effects AS e WHERE e.project_id = v_incident.project_id AND e.effect_id = v_incident.effect_id;
  UPDATE sendpromptly.incidents AS i SET state = 'reprocessing', due_at = reprocess.due_at, attempt = reprocess.number,
    replay_id = reprocess.replay_id, version = i.version + 1, closed_at = NULL, closed_by = NULL
  WHERE i.project_id = v_incident.project_id AND i.incident_id = v_incident.incident_id;
  INSERT INTO sendpromptly.attempts (project_id, replay_id, incident_id, number, operator, requested_at)
  VALUES (v_incident.project_id, reprocess.replay_id, v_incident.incident_id, reprocess.number, left(operator, 255), reprocess.requested_at);
  INSERT INTO sendpromptly.callbacks (project_id, replay_id, incident_id, effect_id, state, next_at)
  VALUES (v_incident.project_id, reprocess.replay_id, v_incident.incident_id, v_incident.effect_id, 'waiting', reprocess.requested_at);
  IF v_incident.state = 'closed' THEN
    INSERT INTO sendpromptly.entries (effect_id, at, project_id, kind, actor)
    VALUES (v_incident.effect_id, reprocess.requested_at, v_incident.project_id, 'reopened', left(operator, 255));
  END IF;
  INSERT INTO sendpromptly.entries (effect_id, at, project_id, kind, state, cause, actor, replay_id)
  VALUES (v_incident.effect_id, reprocess.requested_at, v_incident.project_id, 'reprocess', 'reprocessing', v_incident.cause,
    left(operator, 255), reprocess.replay_id);
  INSERT INTO sendpromptly.changes (subject_id, at, project_id, kind, what)
  VALUES (v_incident.incident_id, reprocess.requested_at, v_incident.project_id, 'attempt', 'requested');
  state := 'reprocessing';
END
$$;
-- +goose StatementEnd

-- stop ends the attempt in flight: reprocessing becomes failed. In every other
-- state only the entry is written.
-- +goose StatementBegin
CREATE FUNCTION sendpromptly.stop(incident_id uuid, operator text, project text DEFAULT 'default',
    OUT state text, OUT refusal text)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
  v_incident sendpromptly.incidents := sendpromptly.lock_incident(incident_id, project);
BEGIN
  state := v_incident.state;
  IF state IS NULL THEN
    refusal := 'not_found';
    RETURN;
  END IF;
  INSERT INTO sendpromptly.entries (effect_id, at, project_id, kind, state, cause, actor, replay_id)
  VALUES (v_incident.effect_id, sendpromptly.clock(), v_incident.project_id, 'stopped',
    CASE WHEN v_incident.state = 'reprocessing' THEN 'failed' END, CASE WHEN v_incident.state = 'reprocessing' THEN 'failed' END,
    left(operator, 255), CASE WHEN v_incident.state = 'reprocessing' THEN v_incident.replay_id END);
  IF state = 'reprocessing' THEN
    PERFORM sendpromptly.mark_failed(v_incident, 'stopped', NULL, NULL);
    state := 'failed';
  END IF;
END
$$;
-- +goose StatementEnd

-- close puts an incident away without an outcome. A note says why.
-- +goose StatementBegin
CREATE FUNCTION sendpromptly.close(incident_id uuid, operator text, note text, project text DEFAULT 'default',
    OUT state text, OUT refusal text)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
  v_incident sendpromptly.incidents := sendpromptly.lock_incident(incident_id, project);
  v_now timestamptz := sendpromptly.clock();
BEGIN
  state := v_incident.state;
  refusal := CASE
    WHEN state IS NULL THEN 'not_found'
    WHEN state = 'reprocessing' THEN 'in_flight'
    WHEN state IN ('applied', 'closed') THEN state
  END;
  IF refusal IS NOT NULL THEN
    RETURN;
  END IF;
  UPDATE sendpromptly.incidents AS i SET state = 'closed', closed_at = v_now, closed_by = left(operator, 255),
    note = left(close.note, 2000), version = i.version + 1
  WHERE i.project_id = v_incident.project_id AND i.incident_id = v_incident.incident_id;
  INSERT INTO sendpromptly.entries (effect_id, at, project_id, kind, state, actor, note)
  VALUES (v_incident.effect_id, v_now, v_incident.project_id, 'closed', 'closed', left(operator, 255), left(close.note, 2000));
  INSERT INTO sendpromptly.changes (subject_id, at, project_id, kind, what)
  VALUES (v_incident.incident_id, v_now, v_incident.project_id, 'incident', 'closed');
  state := 'closed';
END
$$;
-- +goose StatementEnd

-- One page of a project's incidents, newest first. Every list walks its index
-- from the newest incident on and stops when the page is full: the planner, which
-- does not know how soon that is, must not read the whole instead.
-- +goose StatementBegin
CREATE FUNCTION sendpromptly.incident_page(project text, before uuid, page integer, only_open boolean, term text,
    state text, cause text, provider text, event_type text, effect text)
  RETURNS TABLE (project_id integer, incident_id uuid)
  LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 50 SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_bitmapscan = off
  SET enable_hashjoin = off SET enable_mergejoin = off SET enable_sort = off AS $$
#variable_conflict use_column
DECLARE
  v_project integer := (SELECT p.project_id FROM sendpromptly.projects AS p WHERE p.name = project);
BEGIN
  IF term IS NOT NULL THEN
    RETURN QUERY SELECT n.project_id, n.incident_id FROM (
      SELECT i.project_id, i.incident_id FROM sendpromptly.terms AS t
      CROSS JOIN LATERAL (SELECT o.project_id, o.incident_id, o.effect_id, o.state, o.cause FROM sendpromptly.incidents AS o
        WHERE o.project_id = t.project_id AND o.effect_id = t.effect_id LIMIT 1) AS i
      CROSS JOIN LATERAL (SELECT f.effect_id FROM sendpromptly.effects AS f
        WHERE f.project_id = i.project_id AND f.effect_id = i.effect_id AND sendpromptly.effect_fits(f, incident_page.provider,
          incident_page.event_type, incident_page.effect) LIMIT 1) AS fitting
      WHERE t.project_id = v_project AND t.term = lower(incident_page.term) AND i.incident_id < before
        AND (NOT only_open OR i.state IN ('failed', 'missing', 'reprocessing'))
        AND (incident_page.state IS NULL OR i.state = incident_page.state) AND (incident_page.cause IS NULL OR i.cause = incident_page.cause)
      OFFSET 0) AS n
    ORDER BY n.incident_id DESC LIMIT page;
  ELSIF only_open THEN
    RETURN QUERY SELECT i.project_id, i.incident_id FROM sendpromptly.incidents AS i
    CROSS JOIN LATERAL (SELECT f.effect_id FROM sendpromptly.effects AS f
      WHERE f.project_id = i.project_id AND f.effect_id = i.effect_id AND sendpromptly.effect_fits(f, incident_page.provider,
        incident_page.event_type, incident_page.effect) LIMIT 1) AS fitting
    WHERE i.project_id = v_project AND i.incident_id < before AND i.state IN ('failed', 'missing', 'reprocessing')
      AND (incident_page.state IS NULL OR i.state = incident_page.state) AND (incident_page.cause IS NULL OR i.cause = incident_page.cause)
    ORDER BY i.incident_id DESC LIMIT page;
  ELSE
    RETURN QUERY SELECT i.project_id, i.incident_id FROM sendpromptly.incidents AS i
    CROSS JOIN LATERAL (SELECT f.effect_id FROM sendpromptly.effects AS f
      WHERE f.project_id = i.project_id AND f.effect_id = i.effect_id AND sendpromptly.effect_fits(f, incident_page.provider,
        incident_page.event_type, incident_page.effect) LIMIT 1) AS fitting
    WHERE i.project_id = v_project AND i.incident_id < before
      AND (incident_page.state IS NULL OR i.state = incident_page.state) AND (incident_page.cause IS NULL OR i.cause = incident_page.cause)
    ORDER BY i.incident_id DESC LIMIT page;
  END IF;
END
$$;

-- Whether a receipt passes a filter; null lets everything pass.
CREATE FUNCTION sendpromptly.effect_fits(f sendpromptly.effects, provider text, event_type text, effect text) RETURNS boolean
  LANGUAGE sql IMMUTABLE AS $$
  SELECT (effect_fits.provider IS NULL OR (f).provider OPERATOR(pg_catalog.=) sendpromptly.short(effect_fits.provider))
    AND (effect_fits.event_type IS NULL OR (f).event_type OPERATOR(pg_catalog.=) sendpromptly.short(effect_fits.event_type))
    AND (effect_fits.effect IS NULL OR (f).effect OPERATOR(pg_catalog.=) sendpromptly.short(effect_fits.effect))
$$;
-- +goose StatementEnd

REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA sendpromptly FROM PUBLIC;
INSERT INTO sendpromptly.migrations (version, name) VALUES (6, 'operators');
