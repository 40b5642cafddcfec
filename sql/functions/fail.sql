-- The failure of an attempt at an effect. It waits for no row; the lock order is that of succeed.

-- fail records that an attempt at the effect failed. It waits for no row: if the arbiter is locked, state is the last known
-- state, changed is false, and the next sweep records the failure.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.fail(provider text, event_id text, effect text DEFAULT NULL,
    error_code text DEFAULT NULL, error_message text DEFAULT NULL, replay_id text DEFAULT NULL, project text DEFAULT 'default',
    OUT effect_id uuid, OUT state text, OUT changed boolean)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
  v_effect record;
  v_done record;
  v_now timestamptz := sendpromptly.clock();
BEGIN
  SELECT f.* INTO v_effect FROM sendpromptly.find_effect(provider, event_id, effect, project) AS f;
  effect_id := v_effect.effect_id;
  state := v_effect.problem;
  changed := false;
  IF state IS NOT NULL THEN
    RETURN;
  END IF;
  error_code := left(error_code, 128);
  error_message := left(error_message, 2000);
  replay_id := left(replay_id, 64);
  SELECT s.* INTO v_done FROM sendpromptly.settle_failure(v_effect.project_id, v_effect.effect_id, v_effect.deadline, v_now,
    error_code, error_message, replay_id) AS s;
  IF NOT v_done.settled THEN
    INSERT INTO sendpromptly.deferred_failures (project_id, effect_id, at, not_before, replay_id, error_code, error_message)
    VALUES (v_effect.project_id, v_effect.effect_id, v_now, v_now, fail.replay_id, fail.error_code, fail.error_message);
  END IF;
  state := v_done.state;
  changed := v_done.changed;
END
$$;
-- +goose StatementEnd

-- The incident that a failure has just opened, in the form of told_incidents (incident.sql); null if it opened none. The
-- engine calls this in the statement that fails, and only if that changed something: fail's own columns are a contract.
-- Every change of an incident raises its revision, so the incident that was just opened has the first.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.opened_by_failure(effect_id uuid, project text) RETURNS text
  LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
DECLARE
  v_project integer := (SELECT p.project_id FROM sendpromptly.projects AS p WHERE p.name = project);
BEGIN
  RETURN (SELECT sendpromptly.told_incidents(ARRAY[i.project_id], ARRAY[i.effect_id]) FROM sendpromptly.incidents AS i
    WHERE i.project_id = v_project AND i.effect_id = opened_by_failure.effect_id AND i.revision = 1);
END
$$;
-- +goose StatementEnd

-- A failure, without waiting for a row. settled is false if the arbiter is locked: the caller stores the failure for a later
-- sweep. opened means that the failure opened the incident.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.settle_failure(project_id integer, effect_id uuid, deadline timestamptz, at timestamptz,
    error_code text, error_message text, replay_id text,
    OUT state text, OUT changed boolean, OUT settled boolean, OUT opened boolean)
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
  v_incident sendpromptly.incidents;
BEGIN
  changed := false;
  settled := true;
  opened := false;
  PERFORM 1 FROM sendpromptly.owed AS o
  WHERE o.deadline = settle_failure.deadline AND o.project_id = settle_failure.project_id
    AND o.effect_id = settle_failure.effect_id FOR UPDATE SKIP LOCKED;
  IF FOUND THEN
    DELETE FROM sendpromptly.owed AS o
    WHERE o.deadline = settle_failure.deadline AND o.project_id = settle_failure.project_id AND o.effect_id = settle_failure.effect_id;
    state := 'failed';
    changed := true;
  ELSIF EXISTS (SELECT 1 FROM sendpromptly.owed AS o
      WHERE o.deadline = settle_failure.deadline AND o.project_id = settle_failure.project_id AND o.effect_id = settle_failure.effect_id) THEN
    state := 'awaiting';
    settled := false;
    RETURN;
  ELSE
    -- No uncommitted work holds the owed row: the change that removed it is visible from here on.
    SELECT i.* INTO v_incident FROM sendpromptly.incidents AS i
    WHERE i.project_id = settle_failure.project_id AND i.effect_id = settle_failure.effect_id FOR NO KEY UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
      SELECT i.state INTO state FROM sendpromptly.incidents AS i
      WHERE i.project_id = settle_failure.project_id AND i.effect_id = settle_failure.effect_id;
      IF FOUND THEN
        settled := false;
        RETURN;
      END IF;
      -- The effect happened in time. There is no incident to lock, so the receipt is locked, as in settle_success.
      state := 'applied';
      PERFORM 1 FROM sendpromptly.effects AS e
      WHERE e.project_id = settle_failure.project_id AND e.effect_id = settle_failure.effect_id FOR NO KEY UPDATE SKIP LOCKED;
      IF NOT FOUND THEN
        settled := false;
        RETURN;
      END IF;
    ELSE
      state := v_incident.state;
      -- A failure that names no attempt counts for the current one, unless it was reported before that began.
      changed := state = 'missing' OR state = 'reprocessing' AND CASE
        WHEN replay_id IS NOT NULL THEN lower(replay_id) = v_incident.replay_id::text
        ELSE at >= (SELECT a.requested_at FROM sendpromptly.attempts AS a
          WHERE a.project_id = settle_failure.project_id AND a.replay_id = v_incident.replay_id) END;
    END IF;
  END IF;
  IF changed THEN
    state := 'failed';
  END IF;
  INSERT INTO sendpromptly.entries (effect_id, at, project_id, kind, state, cause, replay_id, error_code, error_message)
  VALUES (settle_failure.effect_id, settle_failure.at, settle_failure.project_id, 'failure',
    CASE WHEN settle_failure.changed THEN 'failed' END, CASE WHEN settle_failure.changed THEN 'failed' END,
    settle_failure.replay_id, settle_failure.error_code, settle_failure.error_message);
  opened := changed AND v_incident.incident_id IS NULL;
  IF opened THEN
    PERFORM sendpromptly.open_incidents(ARRAY[project_id], ARRAY[effect_id], 'failed', sendpromptly.clock(), error_code, error_message);
  ELSIF changed THEN
    PERFORM sendpromptly.mark_failed(v_incident, 'failed', settle_failure.error_code, settle_failure.error_message);
  END IF;
END
$$;
-- +goose StatementEnd

SELECT sendpromptly.allow('sendpromptly_app', 'EXECUTE ON FUNCTION sendpromptly.fail, sendpromptly.opened_by_failure');
