-- The outcome. succeed and fail never raise an error for a state. Lock order, here and everywhere: effects (locked by the
-- worker that applies it, or by a caller that finds it settled), owed, incident, callback.

-- succeed records that the effect happened: call it in the effect's own transaction. Provider or effect may be null as long
-- as only one effect matches.
--
-- The lock order of appliers is effects, owed, incident. The row of the receipt is marked first; the owed row, which decides
-- between this call and the sweep, is deleted next; if the sweep was faster, the mark is removed and the incident resolves.
-- Each is a statement of its own, for one row by its whole key: the plan of a join could begin with all owed rows, and a
-- session would keep it.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.succeed(provider text, event_id text, effect text DEFAULT NULL,
    replay_id text DEFAULT NULL, project text DEFAULT 'default',
    OUT effect_id uuid, OUT state text, OUT changed boolean)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_sort = off AS $$
#variable_conflict use_column
DECLARE
  v_project integer;
  v_deadline timestamptz;
BEGIN
  UPDATE sendpromptly.effects AS e SET succeeded_at = sendpromptly.clock()
  WHERE e.ctid = (
      SELECT f.ctid FROM sendpromptly.effects AS f
      WHERE sendpromptly.has_key(f, (SELECT p.project_id FROM sendpromptly.projects AS p WHERE p.name = project),
        succeed.provider, succeed.event_id, succeed.effect)
      ORDER BY f.effect LIMIT 1)
    AND e.succeeded_at = 'infinity'
  RETURNING e.project_id, e.effect_id, e.deadline INTO v_project, effect_id, v_deadline;
  IF NOT FOUND THEN
    SELECT f.project_id, f.effect_id, f.deadline, f.problem INTO v_project, effect_id, v_deadline, state
    FROM sendpromptly.find_effect(provider, event_id, effect, project) AS f;
    changed := false;
    IF state IS NOT NULL THEN
      RETURN;
    END IF;
    UPDATE sendpromptly.effects AS e SET succeeded_at = sendpromptly.clock()
    WHERE e.project_id = v_project AND e.effect_id = succeed.effect_id AND e.succeeded_at = 'infinity';
  END IF;
  IF FOUND THEN
    DELETE FROM sendpromptly.owed AS o
    WHERE o.deadline = v_deadline AND o.project_id = v_project AND o.effect_id = succeed.effect_id;
    IF FOUND THEN
      state := 'applied';
      changed := true;
      RETURN;
    END IF;
    UPDATE sendpromptly.effects AS e SET succeeded_at = 'infinity'
    WHERE e.project_id = v_project AND e.effect_id = succeed.effect_id;
  END IF;
  SELECT s.state, s.changed INTO state, changed
  FROM sendpromptly.settle_success(v_project, effect_id, left(replay_id, 64)) AS s;
  IF state = 'unknown' THEN
    effect_id := NULL;
  END IF;
END
$$;
-- +goose StatementEnd

-- must_succeed is succeed for callers that do not check an answer: it raises an error (SQLSTATE SP007) unless the effect is
-- applied afterwards. So an effect whose success cannot be recorded never commits.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.must_succeed(provider text, event_id text, effect text DEFAULT NULL,
    replay_id text DEFAULT NULL, project text DEFAULT 'default',
    OUT effect_id uuid, OUT state text, OUT changed boolean)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
  SELECT s.effect_id, s.state, s.changed INTO effect_id, state, changed
  FROM sendpromptly.succeed(provider, event_id, effect, replay_id, project) AS s;
  IF state IS DISTINCT FROM 'applied' THEN
    RAISE EXCEPTION USING ERRCODE = 'SP007', MESSAGE = 'sendpromptly.must_succeed: the success was not recorded: the effect is ' || coalesce(state, 'unknown'),
      HINT = CASE state WHEN 'unknown' THEN 'the project has no receipt with this provider, event_id and effect'
        WHEN 'ambiguous' THEN 'several effects match: pass provider and effect' END;
  END IF;
END
$$;
-- +goose StatementEnd

-- A success for which no owed row was left: an incident resolves, or nothing changes.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.settle_success(project_id integer, effect_id uuid, replay_id text,
    OUT state text, OUT changed boolean)
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
  v_incident sendpromptly.incidents;
  v_now timestamptz;
BEGIN
  -- Retention skips an effect whose incident is locked, or else its receipt. No function locks a row in a shared mode: see
  -- docs/decisions/0009.
  SELECT i.* INTO v_incident FROM sendpromptly.incidents AS i
  WHERE i.project_id = settle_success.project_id AND i.effect_id = settle_success.effect_id FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    PERFORM 1 FROM sendpromptly.effects AS e
    WHERE e.project_id = settle_success.project_id AND e.effect_id = settle_success.effect_id FOR NO KEY UPDATE;
    IF NOT FOUND THEN
      state := 'unknown';
      changed := false;
      RETURN;
    END IF;
  END IF;
  v_now := sendpromptly.clock();
  changed := v_incident.state IS NOT NULL AND v_incident.state <> 'applied';
  state := 'applied';
  INSERT INTO sendpromptly.entries (effect_id, at, project_id, kind, state, replay_id)
  VALUES (settle_success.effect_id, v_now, settle_success.project_id, 'success',
    CASE WHEN settle_success.changed THEN 'applied' END, settle_success.replay_id);
  IF NOT changed THEN
    RETURN;
  END IF;
  UPDATE sendpromptly.incidents AS i SET state = 'applied', due_at = NULL, revision = i.revision + 1,
    resolved_at = CASE WHEN i.state <> 'closed' THEN v_now END
  WHERE i.project_id = v_incident.project_id AND i.incident_id = v_incident.incident_id;
  IF v_incident.state <> 'closed' THEN
    INSERT INTO sendpromptly.entries (effect_id, at, project_id, kind)
    VALUES (settle_success.effect_id, v_now, settle_success.project_id, 'resolved');
  END IF;
  IF v_incident.state = 'reprocessing' THEN
    PERFORM sendpromptly.finish_attempt(v_incident.project_id, v_incident.replay_id, 'applied', v_now);
  END IF;
  INSERT INTO sendpromptly.changes (subject_id, at, project_id, kind, what)
  VALUES (v_incident.incident_id, v_now, v_incident.project_id, 'incident', 'applied');
END
$$;
-- +goose StatementEnd

SELECT sendpromptly.allow('sendpromptly_app', 'EXECUTE ON FUNCTION sendpromptly.succeed, sendpromptly.must_succeed');
