-- The app's side of a repair callback, in the transaction of the handler.

-- begin_repair is begin_apply for a repair callback: it does not wait (SQLSTATE 55P03 if another worker has locked the
-- effect) and says what to answer. verdict: run, applied, stale (not the current attempt), unknown, replayed (status and
-- answer contain the stored answer) or reused (a nonce with another body).
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.begin_repair(effect_id uuid, replay_id uuid, nonce text, body_hash bytea, project text DEFAULT 'default',
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

-- Stores the answer to a callback for a day, so that the same request gets it again.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.end_repair(effect_id uuid, replay_id uuid, nonce text, body_hash bytea, status integer, answer text,
    project text DEFAULT 'default') RETURNS void
  LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  INSERT INTO sendpromptly.nonces (project_id, nonce, replay_id, body_hash, status, answer, expires_at)
  SELECT p.project_id, end_repair.nonce, end_repair.replay_id, end_repair.body_hash, end_repair.status, end_repair.answer,
    (SELECT sendpromptly.clock()) + interval '1 day'
  FROM sendpromptly.projects AS p WHERE p.name = end_repair.project
  ON CONFLICT DO NOTHING
$$;
-- +goose StatementEnd

-- A repair that failed and will be tried again: an entry, no signal.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.note_broken_repair(effect_id uuid, replay_id uuid, error_message text, project text DEFAULT 'default') RETURNS void
  LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
  INSERT INTO sendpromptly.entries (effect_id, at, project_id, kind, replay_id, error_message, note)
  SELECT note_broken_repair.effect_id, (SELECT sendpromptly.clock()), p.project_id, 'note', note_broken_repair.replay_id,
    left(note_broken_repair.error_message, 2000), 'the repair failed and will be tried again'
  FROM sendpromptly.projects AS p WHERE p.name = note_broken_repair.project
    AND EXISTS (SELECT 1 FROM sendpromptly.effects AS e WHERE e.project_id = p.project_id AND e.effect_id = note_broken_repair.effect_id)
$$;
-- +goose StatementEnd
