-- Which effect a signal names, and the state that it is in.

-- The effect that a signal names. problem is null, 'unknown' or 'ambiguous'.
--
-- Here and wherever an effect is looked up by its key, the rows are asked for in
-- the order of that key, and without sorting. An empty table gives the planner
-- no reason to prefer the key's index to the primary key's, which begins with
-- the project too, and a session keeps the plan while the table grows: only
-- one of the two has the order.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.find_effect(provider text, event_id text, effect text, project text,
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

-- The state of an effect, derived: an owed row means awaiting, else the
-- incident's state, else applied.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.effect_state(project_id integer, effect_id uuid, deadline timestamptz) RETURNS text
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

SELECT sendpromptly.allow('sendpromptly_operator', 'EXECUTE ON FUNCTION sendpromptly.find_effect, sendpromptly.effect_state');
