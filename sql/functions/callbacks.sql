-- The sender's side of the repair callback.

-- Claims callbacks that are due, which reprocess (actions.sql) wrote and work_waiting (look.sql) saw. Each gets a lease of
-- 60 s with a token, a try number, the nonce and the time of signing. At most 4 are in flight per project. One claimer at a
-- time counts them; another one gets nothing and tries again later.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.claim_callbacks(batch integer)
  RETURNS TABLE (project_id integer, replay_id uuid, incident_id uuid, effect_id uuid, try integer, token uuid, nonce text, signed_at timestamptz)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
  v_now timestamptz := sendpromptly.clock();
  v_project record;
  v_left integer := batch;
BEGIN
  IF NOT sendpromptly.take_turn('callbacks') THEN
    RETURN;
  END IF;
  FOR v_project IN
    SELECT p.project_id, 4 - (SELECT count(*) FROM sendpromptly.callbacks AS c
      WHERE c.project_id = p.project_id AND c.state = 'leased' AND c.next_at > v_now)::integer AS free
    FROM sendpromptly.projects AS p
    WHERE EXISTS (SELECT 1 FROM sendpromptly.callbacks AS c
      WHERE c.project_id = p.project_id AND c.state IN ('waiting', 'leased') AND c.next_at <= v_now)
    ORDER BY random()
  LOOP
    EXIT WHEN v_left <= 0;
    CONTINUE WHEN v_project.free <= 0;
    FOR project_id, replay_id, incident_id, effect_id, try, token, nonce, signed_at IN
      WITH due AS MATERIALIZED (
        SELECT c.replay_id FROM sendpromptly.callbacks AS c
        WHERE c.project_id = v_project.project_id AND c.state IN ('waiting', 'leased') AND c.next_at <= v_now
        ORDER BY c.next_at LIMIT least(v_project.free, v_left) FOR UPDATE SKIP LOCKED)
      UPDATE sendpromptly.callbacks AS c SET state = 'leased', try = c.try + 1, next_at = v_now + interval '60 seconds',
        lease_token = gen_random_uuid(), nonce = replace(gen_random_uuid()::text, '-', ''), signed_at = v_now
      FROM due AS d WHERE c.project_id = v_project.project_id AND c.replay_id = d.replay_id
      RETURNING c.project_id, c.replay_id, c.incident_id, c.effect_id, c.try, c.lease_token, c.nonce, c.signed_at
    LOOP
      v_left := v_left - 1;
      RETURN NEXT;
    END LOOP;
  END LOOP;
END
$$;
-- +goose StatementEnd

-- Records the answer to one try. verdict is accepted (2xx), again or halted. retry_in null means that no tries are left. A
-- stale token is discarded. The answer to a callback that was cancelled after it was sent is recorded and changes no state.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.complete_callback(project_id integer, replay_id uuid, token uuid, verdict text,
    status integer, retry_in interval, duration_ms integer, url text, answer text, error text,
    OUT done boolean)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
  v_incident sendpromptly.incidents;
  v_callback sendpromptly.callbacks;
  v_timeout interval;
  v_now timestamptz;
BEGIN
  SELECT i.* INTO v_incident FROM sendpromptly.incidents AS i
  WHERE i.project_id = complete_callback.project_id AND i.incident_id = (
    SELECT a.incident_id FROM sendpromptly.attempts AS a
    WHERE a.project_id = complete_callback.project_id AND a.replay_id = complete_callback.replay_id)
  FOR NO KEY UPDATE;
  SELECT c.* INTO v_callback FROM sendpromptly.callbacks AS c
  WHERE c.project_id = complete_callback.project_id AND c.replay_id = complete_callback.replay_id AND c.lease_token = token FOR UPDATE;
  done := FOUND AND v_incident.incident_id IS NOT NULL;
  IF NOT done THEN
    RETURN;
  END IF;
  v_now := sendpromptly.clock();
  INSERT INTO sendpromptly.entries (effect_id, at, project_id, kind, replay_id, note, url, status, duration_ms, answer, error_message)
  VALUES (v_callback.effect_id, v_now, v_callback.project_id, 'callback', v_callback.replay_id, 'try ' || v_callback.try,
    left(url, 2048), status, duration_ms, left(answer, 4096), left(error, 2000));
  IF v_callback.state <> 'leased' OR v_incident.state <> 'reprocessing' OR v_incident.replay_id <> v_callback.replay_id THEN
    -- The outcome came before the answer. The entry that the app had queued the repair is still useful.
    INSERT INTO sendpromptly.entries (effect_id, at, project_id, kind, replay_id)
    SELECT v_callback.effect_id, v_now, v_callback.project_id, 'accepted', v_callback.replay_id WHERE status = 202;
    UPDATE sendpromptly.callbacks AS c SET lease_token = NULL
    WHERE c.project_id = v_callback.project_id AND c.replay_id = v_callback.replay_id;
    INSERT INTO sendpromptly.changes (subject_id, at, project_id, kind, what)
    VALUES (v_incident.incident_id, v_now, v_incident.project_id, 'attempt', 'callback');
    RETURN;
  END IF;
  SELECT make_interval(secs => extract(epoch FROM e.deadline - e.accepted_at)::double precision) INTO v_timeout FROM sendpromptly.effects AS e
  WHERE e.project_id = v_callback.project_id AND e.effect_id = v_callback.effect_id;
  IF verdict = 'accepted' THEN
    UPDATE sendpromptly.callbacks AS c SET state = 'accepted', lease_token = NULL
    WHERE c.project_id = v_callback.project_id AND c.replay_id = v_callback.replay_id;
    UPDATE sendpromptly.incidents AS i SET due_at = v_now + greatest(v_timeout, interval '60 seconds')
    WHERE i.project_id = v_incident.project_id AND i.incident_id = v_incident.incident_id;
    INSERT INTO sendpromptly.entries (effect_id, at, project_id, kind, replay_id)
    VALUES (v_callback.effect_id, v_now, v_callback.project_id, 'accepted', v_callback.replay_id);
  ELSIF verdict = 'again' AND retry_in IS NOT NULL THEN
    UPDATE sendpromptly.callbacks AS c SET state = 'waiting', next_at = v_now + retry_in, lease_token = NULL
    WHERE c.project_id = v_callback.project_id AND c.replay_id = v_callback.replay_id;
    UPDATE sendpromptly.incidents AS i SET due_at = greatest(i.due_at, v_now + retry_in + v_timeout)
    WHERE i.project_id = v_incident.project_id AND i.incident_id = v_incident.incident_id;
  ELSE
    UPDATE sendpromptly.callbacks AS c SET state = 'gave_up', lease_token = NULL
    WHERE c.project_id = v_callback.project_id AND c.replay_id = v_callback.replay_id;
    INSERT INTO sendpromptly.entries (effect_id, at, project_id, kind, state, cause, replay_id, note)
    VALUES (v_callback.effect_id, v_now, v_callback.project_id, 'gave_up', 'failed', 'failed', v_callback.replay_id,
      CASE WHEN verdict <> 'halted' THEN 'all tries failed' WHEN status IS NULL THEN 'the engine is not allowed to call the repair URL'
        ELSE 'the repair endpoint refused the callback' END);
    PERFORM sendpromptly.mark_failed(v_incident, 'gave_up', NULL, NULL);
  END IF;
  INSERT INTO sendpromptly.changes (subject_id, at, project_id, kind, what)
  VALUES (v_incident.incident_id, v_now, v_incident.project_id, 'attempt', 'callback');
END
$$;
-- +goose StatementEnd
