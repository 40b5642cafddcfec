-- What operators do to an incident. Each function returns the incident's state and revision after the action, and refusal:
-- null if the action was done, otherwise the reason. revision is the one that the operator saw, null for any: if the
-- incident has changed since then, nothing is done.

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.lock_incident(incident_id uuid, project text) RETURNS sendpromptly.incidents
  LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
  SELECT i.* FROM sendpromptly.incidents AS i
  WHERE i.project_id = (SELECT p.project_id FROM sendpromptly.projects AS p WHERE p.name = lock_incident.project)
    AND i.incident_id = lock_incident.incident_id
  FOR NO KEY UPDATE
$$;
-- +goose StatementEnd

-- reprocess requests a repair from the app: it adds an attempt and its row in callbacks, due at once. work_waiting
-- (look.sql) shows the engines that a callback is due, and claim_callbacks (callbacks.sql) leases it to the engine that
-- sends it. last_try is how long after now the last scheduled try may start; the attempt is due one timeout later.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.reprocess(incident_id uuid, operator text, last_try interval, project text DEFAULT 'default', revision integer DEFAULT NULL,
    OUT state text, OUT refusal text, OUT replay_id uuid, OUT number integer, OUT requested_at timestamptz, OUT due_at timestamptz,
    OUT current_revision integer)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
  v_incident sendpromptly.incidents := sendpromptly.lock_incident(incident_id, project);
BEGIN
  state := v_incident.state;
  current_revision := v_incident.revision;
  refusal := CASE
    WHEN state IS NULL THEN 'not_found'
    WHEN v_incident.revision <> revision THEN 'changed'
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
  -- In seconds, as in accept: a timeout in days has the same length in every time zone.
  SELECT reprocess.requested_at + last_try + make_interval(secs => extract(epoch FROM e.deadline - e.accepted_at)::double precision) INTO due_at
  FROM sendpromptly.effects AS e WHERE e.project_id = v_incident.project_id AND e.effect_id = v_incident.effect_id;
  UPDATE sendpromptly.incidents AS i SET state = 'reprocessing', due_at = reprocess.due_at, attempt = reprocess.number,
    replay_id = reprocess.replay_id, revision = i.revision + 1, closed_at = NULL, closed_by = NULL
  WHERE i.project_id = v_incident.project_id AND i.incident_id = v_incident.incident_id;
  INSERT INTO sendpromptly.attempts (project_id, replay_id, incident_id, number, operator, requested_at)
  VALUES (v_incident.project_id, reprocess.replay_id, v_incident.incident_id, reprocess.number, left(operator, 255), reprocess.requested_at);
  INSERT INTO sendpromptly.callbacks (project_id, replay_id, incident_id, effect_id, state, next_at)
  VALUES (v_incident.project_id, reprocess.replay_id, v_incident.incident_id, v_incident.effect_id, 'waiting', reprocess.requested_at);
  IF v_incident.state = 'closed' THEN
    INSERT INTO sendpromptly.entries (effect_id, at, project_id, kind, actor)
    VALUES (v_incident.effect_id, reprocess.requested_at, v_incident.project_id, 'reopened', left(operator, 255));
    -- The incident is open again, and its first alert may have been dropped when it was closed. The repair gets as much time
    -- as a first try.
    INSERT INTO sendpromptly.outbox (due_at, incident_id, project_id)
    SELECT reprocess.requested_at + greatest(p.alert_after_failed, p.alert_after_missing), v_incident.incident_id, p.project_id
    FROM sendpromptly.projects AS p WHERE p.project_id = v_incident.project_id;
  END IF;
  INSERT INTO sendpromptly.entries (effect_id, at, project_id, kind, state, cause, actor, replay_id)
  VALUES (v_incident.effect_id, reprocess.requested_at, v_incident.project_id, 'reprocess', 'reprocessing', v_incident.cause,
    left(operator, 255), reprocess.replay_id);
  INSERT INTO sendpromptly.changes (subject_id, at, project_id, kind, what)
  VALUES (v_incident.incident_id, reprocess.requested_at, v_incident.project_id, 'attempt', 'requested');
  state := 'reprocessing';
  current_revision := v_incident.revision + 1;
END
$$;
-- +goose StatementEnd

-- stop ends the attempt in flight: reprocessing becomes failed. In every other state it only writes the entry.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.stop(incident_id uuid, operator text, project text DEFAULT 'default', revision integer DEFAULT NULL,
    OUT state text, OUT refusal text, OUT current_revision integer)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
  v_incident sendpromptly.incidents := sendpromptly.lock_incident(incident_id, project);
BEGIN
  state := v_incident.state;
  current_revision := v_incident.revision;
  refusal := CASE
    WHEN state IS NULL THEN 'not_found'
    WHEN v_incident.revision <> revision THEN 'changed'
  END;
  IF refusal IS NOT NULL THEN
    RETURN;
  END IF;
  INSERT INTO sendpromptly.entries (effect_id, at, project_id, kind, state, cause, actor, replay_id)
  VALUES (v_incident.effect_id, sendpromptly.clock(), v_incident.project_id, 'stopped',
    CASE WHEN v_incident.state = 'reprocessing' THEN 'failed' END, CASE WHEN v_incident.state = 'reprocessing' THEN 'failed' END,
    left(operator, 255), CASE WHEN v_incident.state = 'reprocessing' THEN v_incident.replay_id END);
  IF state = 'reprocessing' THEN
    PERFORM sendpromptly.mark_failed(v_incident, 'stopped', NULL, NULL);
    state := 'failed';
    current_revision := v_incident.revision + 1;
  END IF;
END
$$;
-- +goose StatementEnd

-- close closes an incident without an outcome. A note says why.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.close(incident_id uuid, operator text, note text, project text DEFAULT 'default', revision integer DEFAULT NULL,
    OUT state text, OUT refusal text, OUT current_revision integer)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
  v_incident sendpromptly.incidents := sendpromptly.lock_incident(incident_id, project);
  v_now timestamptz := sendpromptly.clock();
BEGIN
  state := v_incident.state;
  current_revision := v_incident.revision;
  refusal := CASE
    WHEN state IS NULL THEN 'not_found'
    WHEN v_incident.revision <> revision THEN 'changed'
    WHEN state = 'reprocessing' THEN 'in_flight'
    WHEN state IN ('applied', 'closed') THEN state
  END;
  IF refusal IS NOT NULL THEN
    RETURN;
  END IF;
  UPDATE sendpromptly.incidents AS i SET state = 'closed', closed_at = v_now, closed_by = left(operator, 255),
    note = left(close.note, 2000), revision = i.revision + 1
  WHERE i.project_id = v_incident.project_id AND i.incident_id = v_incident.incident_id;
  INSERT INTO sendpromptly.entries (effect_id, at, project_id, kind, state, actor, note)
  VALUES (v_incident.effect_id, v_now, v_incident.project_id, 'closed', 'closed', left(operator, 255), left(close.note, 2000));
  INSERT INTO sendpromptly.changes (subject_id, at, project_id, kind, what)
  VALUES (v_incident.incident_id, v_now, v_incident.project_id, 'incident', 'closed');
  state := 'closed';
  current_revision := v_incident.revision + 1;
END
$$;
-- +goose StatementEnd

-- reopen opens a closed incident again. Its cause decides whether it is failed or missing (an incident about a receipt that
-- never came is missing). Its alert may have been dropped, so another one is due as if the incident had just opened. The
-- note of the close stays; the note of the reopening is in the timeline.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.reopen(incident_id uuid, operator text, note text, project text DEFAULT 'default', revision integer DEFAULT NULL,
    OUT state text, OUT refusal text, OUT current_revision integer)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
  v_incident sendpromptly.incidents := sendpromptly.lock_incident(incident_id, project);
  v_now timestamptz := sendpromptly.clock();
BEGIN
  state := v_incident.state;
  current_revision := v_incident.revision;
  refusal := CASE
    WHEN state IS NULL THEN 'not_found'
    WHEN v_incident.revision <> revision THEN 'changed'
    WHEN state <> 'closed' THEN 'not_closed'
  END;
  IF refusal IS NOT NULL THEN
    RETURN;
  END IF;
  state := CASE v_incident.cause WHEN 'failed' THEN 'failed' ELSE 'missing' END;
  UPDATE sendpromptly.incidents AS i SET state = reopen.state, closed_at = NULL, closed_by = NULL, revision = i.revision + 1
  WHERE i.project_id = v_incident.project_id AND i.incident_id = v_incident.incident_id;
  INSERT INTO sendpromptly.entries (effect_id, at, project_id, kind, state, cause, actor, note)
  VALUES (v_incident.effect_id, v_now, v_incident.project_id, 'reopened', reopen.state, v_incident.cause, left(operator, 255), left(reopen.note, 2000));
  INSERT INTO sendpromptly.outbox (due_at, incident_id, project_id)
  SELECT v_now + CASE v_incident.cause WHEN 'failed' THEN p.alert_after_failed ELSE p.alert_after_missing END, v_incident.incident_id, p.project_id
  FROM sendpromptly.projects AS p WHERE p.project_id = v_incident.project_id;
  INSERT INTO sendpromptly.changes (subject_id, at, project_id, kind, what)
  VALUES (v_incident.incident_id, v_now, v_incident.project_id, 'incident', 'reopened');
  current_revision := v_incident.revision + 1;
END
$$;
-- +goose StatementEnd

-- note writes an operator's text into the timeline. It changes no state.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.note(incident_id uuid, operator text, note text, project text DEFAULT 'default', revision integer DEFAULT NULL,
    OUT state text, OUT refusal text, OUT current_revision integer)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
  v_incident sendpromptly.incidents := sendpromptly.lock_incident(incident_id, project);
  v_now timestamptz := sendpromptly.clock();
BEGIN
  state := v_incident.state;
  current_revision := v_incident.revision;
  refusal := CASE
    WHEN state IS NULL THEN 'not_found'
    WHEN v_incident.revision <> revision THEN 'changed'
  END;
  IF refusal IS NOT NULL THEN
    RETURN;
  END IF;
  INSERT INTO sendpromptly.entries (effect_id, at, project_id, kind, actor, note)
  VALUES (v_incident.effect_id, v_now, v_incident.project_id, 'note', left(operator, 255), left(note.note, 2000));
  INSERT INTO sendpromptly.changes (subject_id, at, project_id, kind, what)
  VALUES (v_incident.incident_id, v_now, v_incident.project_id, 'incident', 'noted');
END
$$;
-- +goose StatementEnd

-- try_now sends the waiting callback of the attempt in flight at once instead of at its scheduled time. It uses up one of
-- the tries.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.try_now(incident_id uuid, operator text, project text DEFAULT 'default', revision integer DEFAULT NULL,
    OUT state text, OUT refusal text, OUT current_revision integer)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
  v_incident sendpromptly.incidents := sendpromptly.lock_incident(incident_id, project);
  v_callback sendpromptly.callbacks;
  v_now timestamptz;
BEGIN
  state := v_incident.state;
  current_revision := v_incident.revision;
  refusal := CASE
    WHEN state IS NULL THEN 'not_found'
    WHEN v_incident.revision <> revision THEN 'changed'
    WHEN state <> 'reprocessing' THEN 'not_in_flight'
  END;
  IF refusal IS NOT NULL THEN
    RETURN;
  END IF;
  SELECT c.* INTO v_callback FROM sendpromptly.callbacks AS c
  WHERE c.project_id = v_incident.project_id AND c.replay_id = v_incident.replay_id FOR UPDATE;
  v_now := sendpromptly.clock();
  refusal := CASE v_callback.state WHEN 'leased' THEN 'being_sent' WHEN 'waiting' THEN NULL ELSE 'answered' END;
  IF refusal IS NOT NULL OR v_callback.next_at <= v_now THEN
    RETURN;
  END IF;
  UPDATE sendpromptly.callbacks AS c SET next_at = v_now
  WHERE c.project_id = v_callback.project_id AND c.replay_id = v_callback.replay_id;
  INSERT INTO sendpromptly.entries (effect_id, at, project_id, kind, actor, replay_id, note)
  VALUES (v_incident.effect_id, v_now, v_incident.project_id, 'note', left(operator, 255), v_incident.replay_id,
    'the next try is sent now instead of at its scheduled time');
  INSERT INTO sendpromptly.changes (subject_id, at, project_id, kind, what)
  VALUES (v_incident.incident_id, v_now, v_incident.project_id, 'attempt', 'hurried');
END
$$;
-- +goose StatementEnd

SELECT sendpromptly.allow('sendpromptly_operator',
  'EXECUTE ON FUNCTION sendpromptly.reprocess, sendpromptly.stop, sendpromptly.close, sendpromptly.reopen, sendpromptly.note, sendpromptly.try_now');
