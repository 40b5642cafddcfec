-- The app's side: one worker at a time applies an effect, in its own transaction.

-- begin_apply locks the effects row, for which only other workers on the same effect wait, and then reads the state. It does
-- not lock the arbiter: a worker that hangs is still found by its deadline.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.begin_apply(provider text, event_id text, effect text, project text DEFAULT 'default',
    OUT effect_id uuid, OUT state text)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_sort = off AS $$
#variable_conflict use_column
DECLARE
  v_effect record;
BEGIN
  SELECT e.project_id, e.effect_id, e.deadline INTO v_effect FROM sendpromptly.effects AS e
  WHERE sendpromptly.has_key(e, (SELECT p.project_id FROM sendpromptly.projects AS p WHERE p.name = project),
    begin_apply.provider, begin_apply.event_id, begin_apply.effect)
  ORDER BY e.effect LIMIT 1
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

SELECT sendpromptly.allow('sendpromptly_app', 'EXECUTE ON FUNCTION sendpromptly.begin_apply');
