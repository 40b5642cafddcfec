-- Which effect a signal names, and the state of that effect.

-- Whether a row of effects has a whole key. Use it with ORDER BY e.effect LIMIT 1. It is a plain expression that Postgres
-- inlines into the caller's query, and the only definition of how a key is looked up. The effect is compared as a range of
-- one value, so that it is not fixed, and only the key's index has the order. If it were compared as equal, the planner
-- would drop the order, and on an empty table it would consider the primary key just as good (see find_effect).
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.has_key(e sendpromptly.effects, project_id integer, provider text, event_id text, effect text) RETURNS boolean
  LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT (e).project_id OPERATOR(pg_catalog.=) has_key.project_id AND (e).event_id OPERATOR(pg_catalog.=) has_key.event_id
    AND (e).provider OPERATOR(pg_catalog.=) sendpromptly.short(has_key.provider)
    AND (e).effect OPERATOR(pg_catalog.>=) sendpromptly.short(has_key.effect) AND (e).effect OPERATOR(pg_catalog.<=) sendpromptly.short(has_key.effect)
$$;
-- +goose StatementEnd

-- The effect that a signal names. problem is null, 'unknown' or 'ambiguous'.
--
-- Every lookup of an effect by its key, here and elsewhere, orders the rows by that key and does not sort. An empty table
-- gives the planner no reason to prefer the key's index to the primary key's, which begins with the project too, and a
-- session keeps the plan while the table grows. Only one of the two indexes has the order.
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

-- lookup reads the state of an effect and locks nothing. The id is null if no effect has the key (state unknown), or if the
-- provider or effect was left null and several effects match (ambiguous). deadline is the receipt's.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.lookup(provider text, event_id text, effect text DEFAULT NULL, project text DEFAULT 'default',
    OUT effect_id uuid, OUT state text, OUT deadline timestamptz, OUT incident_id uuid)
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_sort = off AS $$
#variable_conflict use_column
DECLARE
  v_effect record;
BEGIN
  SELECT f.* INTO v_effect FROM sendpromptly.find_effect(provider, event_id, effect, project) AS f;
  state := v_effect.problem;
  IF state IS NOT NULL THEN
    RETURN;
  END IF;
  effect_id := v_effect.effect_id;
  deadline := v_effect.deadline;
  state := sendpromptly.effect_state(v_effect.project_id, v_effect.effect_id, v_effect.deadline);
  SELECT i.incident_id INTO incident_id FROM sendpromptly.incidents AS i
  WHERE i.project_id = v_effect.project_id AND i.effect_id = v_effect.effect_id;
END
$$;
-- +goose StatementEnd

-- The state of an effect, derived: an owed row means awaiting, else the incident's state, else applied.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.effect_state(project_id integer, effect_id uuid, deadline timestamptz) RETURNS text
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$ -- not SQL, which would be planned at every call
BEGIN
  RETURN CASE
    WHEN EXISTS (SELECT 1 FROM sendpromptly.owed AS o WHERE o.deadline = effect_state.deadline
      AND o.project_id = effect_state.project_id AND o.effect_id = effect_state.effect_id) THEN 'awaiting'
    ELSE coalesce((SELECT i.state FROM sendpromptly.incidents AS i
      WHERE i.project_id = effect_state.project_id AND i.effect_id = effect_state.effect_id), 'applied') END;
END
$$;
-- +goose StatementEnd

SELECT sendpromptly.allow('sendpromptly_operator', 'EXECUTE ON FUNCTION sendpromptly.find_effect, sendpromptly.effect_state, sendpromptly.lookup');
SELECT sendpromptly.allow('sendpromptly_app', 'EXECUTE ON FUNCTION sendpromptly.lookup');
