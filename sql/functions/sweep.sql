-- The sweep: three guarded steps that any number of engines run side by side. Each call is one short transaction. The steps
-- run on tables that churn, where statistics may be hours old or missing: enable_seqscan = off keeps them on their indexes
-- whatever the planner assumes about the tables.

-- Opens an incident for each first deadline that passed. last_pass is the start of this engine's last complete pass, null
-- for the first: an overdue row with an older deadline was invisible or locked then, and its owner gets one hold of
-- min(timeout, 60 s) to report. The rows are taken by their physical place, which cannot move while they are locked, so that
-- no plan can take more than batch. since is where to begin, null for the first deadline. reached is where the next batch of
-- the same pass begins: the rows that this one deleted lie before it. The plan is made once: a planner that knows the
-- deadlines looks up the smallest one, past all rows that were just deleted, which takes 8 % of the whole batch. told is
-- told_incidents (incident.sql) of the incidents that it opened.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.open_overdue(batch integer, last_pass timestamptz, since timestamptz DEFAULT NULL,
    OUT started timestamptz, OUT taken integer, OUT held integer, OUT opened integer, OUT reached timestamptz, OUT told text)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_bitmapscan = off
  SET enable_sort = off SET jit = off SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
  v_since timestamptz := coalesce(since, '-infinity');
  v_places tid[];
  v_late tid[];
  v_projects integer[];
  v_effects uuid[];
BEGIN
  started := sendpromptly.clock();
  opened := 0;
  held := 0;
  SELECT count(*), max(d.deadline), array_agg(d.place) FILTER (WHERE NOT d.late), array_agg(d.place) FILTER (WHERE d.late)
  INTO taken, reached, v_places, v_late
  FROM (
    SELECT o.ctid AS place, o.deadline, o.hold_until IS NULL AND coalesce(o.deadline < last_pass, false) AS late
    FROM sendpromptly.owed AS o
    WHERE o.deadline BETWEEN v_since AND started AND (o.hold_until IS NULL OR o.hold_until <= started)
    ORDER BY o.deadline, o.project_id, o.effect_id LIMIT batch FOR UPDATE SKIP LOCKED) AS d;
  IF v_late IS NOT NULL THEN
    UPDATE sendpromptly.owed AS o SET hold_until = started + least(interval '60 seconds', (
      SELECT e.deadline - e.accepted_at FROM sendpromptly.effects AS e WHERE e.project_id = o.project_id AND e.effect_id = o.effect_id))
    WHERE o.ctid = ANY (v_late);
    GET DIAGNOSTICS held = ROW_COUNT;
  END IF;
  IF v_places IS NULL THEN
    RETURN;
  END IF;
  WITH gone AS (
    DELETE FROM sendpromptly.owed AS o WHERE o.ctid = ANY (v_places) RETURNING o.project_id, o.effect_id, o.deadline
  ), told AS (
    INSERT INTO sendpromptly.entries (effect_id, at, project_id, kind, state, cause)
    SELECT g.effect_id, g.deadline, g.project_id, 'deadline', 'missing', 'missing' FROM gone AS g
  )
  SELECT array_agg(g.project_id), array_agg(g.effect_id) INTO v_projects, v_effects FROM gone AS g;
  IF v_effects IS NOT NULL THEN
    opened := sendpromptly.open_incidents(v_projects, v_effects, 'missing', started, NULL, NULL);
    told := sendpromptly.told_incidents(v_projects, v_effects);
  END IF;
END
$$;
-- +goose StatementEnd

-- Defers the first overdue row by an hour if its incident cannot be opened even alone; problem says why. It tries that
-- itself and rolls the trial back: of two engines that meet a poisonous row, the slower one finds an innocent row in its
-- place. A deferred row stays owed and is tried again: nothing is lost.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.set_aside(OUT problem text)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
  v_now timestamptz := sendpromptly.clock();
  v_row record;
BEGIN
  SELECT o.* INTO v_row FROM sendpromptly.owed AS o
  WHERE o.deadline <= v_now AND (o.hold_until IS NULL OR o.hold_until <= v_now)
  ORDER BY o.deadline, o.project_id, o.effect_id LIMIT 1 FOR UPDATE SKIP LOCKED;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  BEGIN
    DELETE FROM sendpromptly.owed AS o
    WHERE o.deadline = v_row.deadline AND o.project_id = v_row.project_id AND o.effect_id = v_row.effect_id;
    INSERT INTO sendpromptly.entries (effect_id, at, project_id, kind, state, cause)
    VALUES (v_row.effect_id, v_row.deadline, v_row.project_id, 'deadline', 'missing', 'missing');
    PERFORM sendpromptly.open_incidents(ARRAY[v_row.project_id], ARRAY[v_row.effect_id], 'missing', v_now, NULL, NULL);
    RAISE EXCEPTION USING ERRCODE = 'SP003', MESSAGE = 'the incident can be opened: the trial is rolled back';
  EXCEPTION
    WHEN SQLSTATE 'SP003' THEN
      RETURN;
    WHEN OTHERS THEN
      IF NOT sendpromptly.rows_fault(SQLSTATE) THEN
        RAISE;
      END IF;
      problem := left(SQLERRM, 2000);
  END;
  UPDATE sendpromptly.owed AS o SET hold_until = v_now + interval '1 hour', poisoned = set_aside.problem
  WHERE o.deadline = v_row.deadline AND o.project_id = v_row.project_id AND o.effect_id = v_row.effect_id;
  INSERT INTO sendpromptly.entries (effect_id, at, project_id, kind, error_message, note)
  VALUES (v_row.effect_id, v_now, v_row.project_id, 'note', set_aside.problem, 'the sweep could not open the incident and will retry in 1 hour');
END
$$;
-- +goose StatementEnd

-- How many overdue rows a complete pass had to leave because the app has locked them, counted up to 1,000, from where that
-- pass began.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.overdue_locked(started timestamptz, since timestamptz DEFAULT NULL) RETURNS integer
  LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT count(*)::integer FROM (
    SELECT 1 FROM sendpromptly.owed AS o
    WHERE o.deadline BETWEEN coalesce(since, '-infinity') AND started AND (o.hold_until IS NULL OR o.hold_until <= started) LIMIT 1000) AS left_over
$$;
-- +goose StatementEnd

-- Attempts whose due time passed without an outcome: reprocessing becomes missing. apart as in fold_failures.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.expire_attempts(batch integer, apart boolean DEFAULT false, OUT taken integer)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
  v_now timestamptz := sendpromptly.clock();
  v_incident sendpromptly.incidents;
BEGIN
  taken := 0;
  FOR v_incident IN
    SELECT i.* FROM sendpromptly.incidents AS i WHERE i.due_at <= v_now ORDER BY i.due_at LIMIT batch FOR NO KEY UPDATE SKIP LOCKED
  LOOP
    taken := taken + 1;
    IF NOT apart THEN
      PERFORM sendpromptly.expire_attempt(v_incident, v_now);
      CONTINUE;
    END IF;
    BEGIN
      PERFORM sendpromptly.expire_attempt(v_incident, v_now);
    EXCEPTION WHEN OTHERS THEN
      IF NOT sendpromptly.rows_fault(SQLSTATE) THEN
        RAISE;
      END IF;
      UPDATE sendpromptly.incidents AS i SET due_at = v_now + interval '1 hour'
      WHERE i.project_id = v_incident.project_id AND i.incident_id = v_incident.incident_id;
      INSERT INTO sendpromptly.entries (effect_id, at, project_id, kind, error_message, note)
      VALUES (v_incident.effect_id, v_now, v_incident.project_id, 'note', left(SQLERRM, 2000), 'the sweep could not end the attempt and will retry in 1 hour');
    END;
  END LOOP;
END
$$;
-- +goose StatementEnd

-- Ends the attempt of one incident, which the caller has locked.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.expire_attempt(incident sendpromptly.incidents, now timestamptz) RETURNS void
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
  UPDATE sendpromptly.incidents AS i SET state = 'missing', cause = 'missing', due_at = NULL, revision = i.revision + 1
  WHERE i.project_id = incident.project_id AND i.incident_id = incident.incident_id;
  INSERT INTO sendpromptly.entries (effect_id, at, project_id, kind, state, cause, replay_id)
  VALUES (incident.effect_id, incident.due_at, incident.project_id, 'deadline', 'missing', 'missing', incident.replay_id);
  PERFORM sendpromptly.finish_attempt(incident.project_id, incident.replay_id, 'missing', expire_attempt.now);
  INSERT INTO sendpromptly.changes (subject_id, at, project_id, kind, what)
  VALUES (incident.incident_id, expire_attempt.now, incident.project_id, 'incident', 'missing');
END
$$;
-- +goose StatementEnd

-- Records failures that found their arbiter locked. A failure that finds it locked again waits a second, so that it delays
-- no other. apart is for a batch that failed: each row runs in a subtransaction of its own, and a row that cannot be
-- recorded because of its own data is tried again in an hour. opened counts the incidents that the failures opened, and told
-- is told_incidents (incident.sql) of them.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.fold_failures(batch integer, apart boolean DEFAULT false,
    OUT taken integer, OUT folded integer, OUT opened integer, OUT told text)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
  v_now timestamptz := sendpromptly.clock();
  v_row record;
  v_failure sendpromptly.deferred_failures;
  v_done record;
  v_projects integer[];
  v_effects uuid[];
BEGIN
  taken := 0;
  folded := 0;
  FOR v_row IN
    SELECT d AS failure, e.deadline FROM sendpromptly.deferred_failures AS d
    JOIN sendpromptly.effects AS e ON e.project_id = d.project_id AND e.effect_id = d.effect_id
    WHERE d.not_before <= v_now ORDER BY d.not_before, d.deferred_id LIMIT batch FOR UPDATE OF d SKIP LOCKED
  LOOP
    taken := taken + 1;
    v_failure := v_row.failure;
    IF NOT apart THEN
      v_done := sendpromptly.fold_failure(v_failure, v_row.deadline, v_now);
    ELSE
      BEGIN
        v_done := sendpromptly.fold_failure(v_failure, v_row.deadline, v_now);
      EXCEPTION WHEN OTHERS THEN
        IF NOT sendpromptly.rows_fault(SQLSTATE) THEN
          RAISE;
        END IF;
        UPDATE sendpromptly.deferred_failures AS d SET not_before = v_now + interval '1 hour'
        WHERE d.project_id = v_failure.project_id AND d.deferred_id = v_failure.deferred_id;
        INSERT INTO sendpromptly.entries (effect_id, at, project_id, kind, error_message, note)
        VALUES (v_failure.effect_id, v_now, v_failure.project_id, 'note', left(SQLERRM, 2000), 'the sweep could not record a failure and will retry in 1 hour');
        CONTINUE;
      END;
    END IF;
    IF v_done.folded THEN
      folded := folded + 1;
    END IF;
    IF v_done.opened THEN
      v_projects := v_projects || v_failure.project_id;
      v_effects := v_effects || v_failure.effect_id;
    END IF;
  END LOOP;
  opened := coalesce(cardinality(v_effects), 0);
  IF opened > 0 THEN
    told := sendpromptly.told_incidents(v_projects, v_effects);
  END IF;
END
$$;
-- +goose StatementEnd

-- Records one failure, which the caller has locked. folded is false if it has to wait; opened as in settle_failure.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.fold_failure(failure sendpromptly.deferred_failures, deadline timestamptz, now timestamptz,
    OUT folded boolean, OUT opened boolean)
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
  SELECT s.settled, s.opened INTO folded, opened FROM sendpromptly.settle_failure(failure.project_id, failure.effect_id, deadline, failure.at,
    failure.error_code, failure.error_message, failure.replay_id) AS s;
  IF folded THEN
    DELETE FROM sendpromptly.deferred_failures AS d WHERE d.project_id = failure.project_id AND d.deferred_id = failure.deferred_id;
    RETURN;
  END IF;
  UPDATE sendpromptly.deferred_failures AS d SET not_before = fold_failure.now + interval '1 second'
  WHERE d.project_id = failure.project_id AND d.deferred_id = failure.deferred_id;
END
$$;
-- +goose StatementEnd
