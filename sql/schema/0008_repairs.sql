-- +goose Up
-- The app's side: one worker at a time applies an effect, in its own transaction.

-- The state of an effect, derived: an owed row means awaiting, else the
-- incident's state, else applied.
-- +goose StatementBegin
CREATE FUNCTION sendpromptly.effect_state(project_id integer, effect_id uuid, deadline timestamptz) RETURNS text
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$ -- not SQL, which would be planned with every call
BEGIN
  RETURN CASE
    WHEN EXISTS (SELECT 1 FROM sendpromptly.owed AS o WHERE o.deadline = effect_state.deadline
      AND o.project_id = effect_state.project_id AND o.effect_id = effect_state.effect_id) THEN 'awaiting'
    ELSE coalesce((SELECT i.state FROM sendpromptly.incidents AS i
      WHERE i.project_id = effect_state.project_id AND i.effect_id = effect_state.effect_id), 'applied') END;
END
$$;
-- +goose StatementEnd

-- begin_apply takes the effects row, which only others that apply the same
-- effect wait for, and then reads the state. It leaves the arbiter alone: a
-- hung worker is still found by its deadline.
-- +goose StatementBegin
CREATE FUNCTION sendpromptly.begin_apply(provider text, event_id text, effect text, project text DEFAULT 'default',
    OUT effect_id uuid, OUT state text)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_sort = off AS $$
#variable_conflict use_column
DECLARE
  v_effect record;
BEGIN
  SELECT e.project_id, e.effect_id, e.deadline INTO v_effect FROM sendpromptly.effects AS e
  WHERE e.project_id = (SELECT p.project_id FROM sendpromptly.projects AS p WHERE p.name = project)
    AND e.event_id = begin_apply.event_id AND e.provider = sendpromptly.short(begin_apply.provider)
    AND e.effect BETWEEN sendpromptly.short(begin_apply.effect) AND sendpromptly.short(begin_apply.effect)
  ORDER BY e.effect LIMIT 1 -- see find_effect
  FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    state := 'unknown';
    RETURN;
  END IF;
  effect_id := v_effect.effect_id;
  state := sendpromptly.effect_state(v_effect.project_id, v_effect.effect_id, v_effect.deadline);
END
$$;
-- +goose StatementEnd

-- begin_repair is begin_apply for a repair callback: it does not wait (SQLSTATE
-- 55P03 where another worker holds the effect) and says what to answer.
-- verdict: run, applied, stale (not the current attempt), unknown, replayed (the
-- stored answer stands in status and answer) or reused (a nonce with another body).
-- +goose StatementBegin
CREATE FUNCTION sendpromptly.begin_repair(effect_id uuid, replay_id uuid, nonce text, body_hash bytea, project text DEFAULT 'default',
    OUT verdict text, OUT status integer, OUT answer text)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
  v_effect record;
  v_seen record;
  v_incident sendpromptly.incidents;
BEGIN
  SELECT e.project_id, e.effect_id, e.deadline INTO v_effect FROM sendpromptly.effects AS e
  WHERE e.project_id = (SELECT p.project_id FROM sendpromptly.projects AS p WHERE p.name = project)
    AND e.effect_id = begin_repair.effect_id
  FOR NO KEY UPDATE NOWAIT;
  IF NOT FOUND THEN
    verdict := 'unknown';
    RETURN;
  END IF;
  SELECT n.* INTO v_seen FROM sendpromptly.nonces AS n
  WHERE n.project_id = v_effect.project_id AND (n.nonce = begin_repair.nonce OR n.replay_id = begin_repair.replay_id AND n.status = 202)
  ORDER BY n.nonce = begin_repair.nonce DESC LIMIT 1;
  IF v_seen.nonce = nonce AND v_seen.body_hash <> body_hash THEN
    verdict := 'reused';
    RETURN;
  END IF;
  SELECT i.* INTO v_incident FROM sendpromptly.incidents AS i
  WHERE i.project_id = v_effect.project_id AND i.effect_id = v_effect.effect_id;
  verdict := CASE
    WHEN v_seen.nonce IS NOT NULL THEN 'replayed'
    WHEN sendpromptly.effect_state(v_effect.project_id, v_effect.effect_id, v_effect.deadline) = 'applied' THEN 'applied'
    WHEN v_incident.state IS DISTINCT FROM 'reprocessing' OR v_incident.replay_id <> begin_repair.replay_id THEN 'stale'
    ELSE 'run'
  END;
  status := v_seen.status;
  answer := v_seen.answer;
END
$$;
-- +goose StatementEnd

-- Keeps the answer to a callback for a day, so that the same request gets it again.
-- +goose StatementBegin
CREATE FUNCTION sendpromptly.end_repair(effect_id uuid, replay_id uuid, nonce text, body_hash bytea, status integer, answer text,
    project text DEFAULT 'default') RETURNS void
  LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  INSERT INTO sendpromptly.nonces (project_id, nonce, replay_id, body_hash, status, answer, expires_at)
  SELECT p.project_id, end_repair.nonce, end_repair.replay_id, end_repair.body_hash, end_repair.status, end_repair.answer,
    (SELECT sendpromptly.clock()) + interval '1 day'
  FROM sendpromptly.projects AS p WHERE p.name = end_repair.project
  ON CONFLICT DO NOTHING
$$;
-- +goose StatementEnd

-- A repair that broke and will be tried again: an entry, no signal.
-- +goose StatementBegin
CREATE FUNCTION sendpromptly.note_broken_repair(effect_id uuid, replay_id uuid, error_message text, project text DEFAULT 'default') RETURNS void
  LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
  INSERT INTO sendpromptly.entries (effect_id, at, project_id, kind, replay_id, error_message, note)
  SELECT note_broken_repair.effect_id, (SELECT sendpromptly.clock()), p.project_id, 'note', note_broken_repair.replay_id,
    left(note_broken_repair.error_message, 2000), 'the repair broke and will be tried again'
  FROM sendpromptly.projects AS p WHERE p.name = note_broken_repair.project
    AND EXISTS (SELECT 1 FROM sendpromptly.effects AS e WHERE e.project_id = p.project_id AND e.effect_id = note_broken_repair.effect_id)
$$;
-- +goose StatementEnd

REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA sendpromptly FROM PUBLIC;
INSERT INTO sendpromptly.migrations (version, name) VALUES (8, 'repairs');
