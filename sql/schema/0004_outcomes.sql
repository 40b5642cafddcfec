-- +goose Up
-- The outcome. succeed and fail never raise for a state. Lock order, here and
-- everywhere: effects (who applies it, or finds it settled), owed, incident, callback.

-- Incidents are opened here and nowhere else: by the sweep (cause missing) and
-- by a failure. The caller has just deleted the owed rows and written the
-- entries that say why.
-- +goose StatementBegin
CREATE FUNCTION sendpromptly.open_incidents(project_ids integer[], effect_ids uuid[], cause text, at timestamptz,
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

-- The end of an attempt, whatever ended it: its remaining tries are cancelled.
-- The last lease token stays, so that an answer still on its way is recorded.
-- It is asked for what has not ended, and not for what is live: the index of live
-- callbacks would do for that too, and lists all of the project's.
-- +goose StatementBegin
CREATE FUNCTION sendpromptly.finish_attempt(project_id integer, replay_id uuid, result text, at timestamptz) RETURNS void
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

-- A success where no owed row was left: an incident resolves, or nothing moves.
-- +goose StatementBegin
CREATE FUNCTION sendpromptly.settle_success(project_id integer, effect_id uuid, replay_id text,
    OUT state text, OUT changed boolean)
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
  v_incident sendpromptly.incidents;
  v_now timestamptz;
BEGIN
  -- Retention leaves an effect alone whose incident is held, or else its receipt.
  -- No function locks a row in a shared mode: see docs/decisions/0009.
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

-- succeed records that the effect happened: call it in the effect's own
-- transaction. An effect or provider left null is right while one effect fits.
--
-- The lock order of appliers is effects, owed, incident. The row of the receipt
-- is marked first; the owed row, which decides against the sweep, goes next; if
-- the sweep was faster, the mark is taken back and the incident resolves. They
-- are statements of their own, each for one row by its whole key: the plan of a
-- join could begin with all that is owed, and a session would keep it.
-- +goose StatementBegin
CREATE FUNCTION sendpromptly.succeed(provider text, event_id text, effect text DEFAULT NULL,
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
      WHERE f.project_id = (SELECT p.project_id FROM sendpromptly.projects AS p WHERE p.name = project)
        AND f.event_id = succeed.event_id AND f.provider = sendpromptly.short(succeed.provider)
        AND f.effect BETWEEN sendpromptly.short(succeed.effect) AND sendpromptly.short(succeed.effect)
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

-- The effect that a signal names. problem is null, 'unknown' or 'ambiguous'.
--
-- Here and wherever an effect is looked up by its key, the rows are asked for in
-- the order of that key, and without sorting. An empty table gives the planner
-- no reason to prefer the key's index to the primary key's, which begins with
-- the project too, and a session keeps the plan while the table grows: only
-- one of the two has the order.
-- +goose StatementBegin
CREATE FUNCTION sendpromptly.find_effect(provider text, event_id text, effect text, project text,
    OUT project_id integer, OUT effect_id uuid, OUT deadline timestamptz, OUT problem text)
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_sort = off AS $$
#variable_conflict use_column
BEGIN
  SELECT e.project_id, e.effect_id, e.deadline INTO project_id, effect_id, deadline
  FROM sendpromptly.effects AS e
  WHERE e.project_id = (SELECT p.project_id FROM sendpromptly.projects AS p WHERE p.name = project)
    AND e.event_id = find_effect.event_id
    AND (find_effect.provider IS NULL OR e.provider = sendpromptly.short(find_effect.provider))
    AND (find_effect.effect IS NULL OR e.effect = sendpromptly.short(find_effect.effect))
  ORDER BY e.provider, e.effect LIMIT 1;
  IF NOT FOUND THEN
    problem := 'unknown';
  ELSIF (provider IS NULL OR effect IS NULL) AND (
      SELECT true FROM sendpromptly.effects AS e
      WHERE e.project_id = find_effect.project_id AND e.event_id = find_effect.event_id
        AND (find_effect.provider IS NULL OR e.provider = sendpromptly.short(find_effect.provider))
        AND (find_effect.effect IS NULL OR e.effect = sendpromptly.short(find_effect.effect))
        AND e.effect_id <> find_effect.effect_id
      ORDER BY e.provider, e.effect LIMIT 1) THEN
    effect_id := NULL;
    problem := 'ambiguous';
  END IF;
END
$$;
-- +goose StatementEnd

-- A failure, without waiting for a row. settled is false when the arbiter is
-- locked: the caller stores the failure aside.
-- +goose StatementBegin
CREATE FUNCTION sendpromptly.settle_failure(project_id integer, effect_id uuid, deadline timestamptz, at timestamptz,
    error_code text, error_message text, replay_id text,
    OUT state text, OUT changed boolean, OUT settled boolean)
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
  v_incident sendpromptly.incidents;
BEGIN
  changed := false;
  settled := true;
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
    -- Nobody's uncommitted work holds the owed row: whatever took it is visible from here on.
    SELECT i.* INTO v_incident FROM sendpromptly.incidents AS i
    WHERE i.project_id = settle_failure.project_id AND i.effect_id = settle_failure.effect_id FOR NO KEY UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
      SELECT i.state INTO state FROM sendpromptly.incidents AS i
      WHERE i.project_id = settle_failure.project_id AND i.effect_id = settle_failure.effect_id;
      IF FOUND THEN
        settled := false;
        RETURN;
      END IF;
      -- It happened in time. There is no incident to hold, so the receipt is, as in settle_success.
      state := 'applied';
      PERFORM 1 FROM sendpromptly.effects AS e
      WHERE e.project_id = settle_failure.project_id AND e.effect_id = settle_failure.effect_id FOR NO KEY UPDATE SKIP LOCKED;
      IF NOT FOUND THEN
        settled := false;
        RETURN;
      END IF;
    ELSE
      state := v_incident.state;
      -- One that names no attempt counts as the current one's, unless it was reported before that began.
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
  IF changed AND v_incident.incident_id IS NULL THEN
    PERFORM sendpromptly.open_incidents(ARRAY[project_id], ARRAY[effect_id], 'failed', sendpromptly.clock(), error_code, error_message);
  ELSIF changed THEN
    PERFORM sendpromptly.mark_failed(v_incident, 'failed', settle_failure.error_code, settle_failure.error_message);
  END IF;
END
$$;

-- An open incident whose repair or wait ended in a failure: missing and
-- reprocessing become failed. The caller holds the incident and has written the entry.
CREATE FUNCTION sendpromptly.mark_failed(incident sendpromptly.incidents, result text, error_code text, error_message text) RETURNS void
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

-- fail records that an attempt at the effect failed. It waits for no row: where
-- the arbiter is locked, state is what was last known, changed is false, and
-- the next sweep folds the failure in.
-- +goose StatementBegin
CREATE FUNCTION sendpromptly.fail(provider text, event_id text, effect text DEFAULT NULL,
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

REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA sendpromptly FROM PUBLIC;
INSERT INTO sendpromptly.migrations (version, name) VALUES (4, 'outcomes');
