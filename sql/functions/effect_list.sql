-- The effect list of the console and the admin API.

-- One page of a project's effects, newest first: all, or those that a term names. A term is one that the table terms has, an
-- event id, the id of a second receipt's source event, or one of our own ids (effect, incident, replay).
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.effect_page(project text, before uuid, page integer, term text)
  RETURNS TABLE (project_id integer, effect_id uuid)
  LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 50 SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_bitmapscan = off
  SET enable_hashjoin = off SET enable_mergejoin = off SET enable_sort = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
  v_project integer := (SELECT p.project_id FROM sendpromptly.projects AS p WHERE p.name = project);
  v_id uuid := CASE WHEN term ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN term::uuid END;
BEGIN
  IF term IS NULL THEN
    RETURN QUERY SELECT v_project, e.effect_id FROM sendpromptly.effects AS e
    WHERE e.project_id = v_project AND e.effect_id < before ORDER BY e.effect_id DESC LIMIT page;
    RETURN;
  END IF;
  RETURN QUERY SELECT v_project, n.effect_id FROM (
    (SELECT t.effect_id FROM sendpromptly.terms AS t
      WHERE t.project_id = v_project AND t.term = lower(effect_page.term) AND t.effect_id < before ORDER BY t.effect_id DESC LIMIT page)
    UNION
    (SELECT e.effect_id FROM sendpromptly.effects AS e WHERE e.project_id = v_project AND e.event_id = effect_page.term LIMIT 1000)
    UNION
    (SELECT n.effect_id FROM sendpromptly.entries AS n
      WHERE n.project_id = v_project AND n.kind IN ('duplicate', 'mismatch') AND n.note IS NOT NULL
        AND lower(substring(n.note, 'by source event (.+)$')) = lower(effect_page.term) LIMIT 1000)
    UNION
    (SELECT e.effect_id FROM sendpromptly.effects AS e WHERE e.project_id = v_project AND e.effect_id = v_id)
    UNION
    (SELECT i.effect_id FROM sendpromptly.incidents AS i WHERE i.project_id = v_project AND i.incident_id = v_id)
    UNION
    (SELECT i.effect_id FROM sendpromptly.attempts AS a
      JOIN sendpromptly.incidents AS i ON i.project_id = a.project_id AND i.incident_id = a.incident_id
      WHERE a.project_id = v_project AND a.replay_id = v_id)) AS n
  WHERE n.effect_id < before ORDER BY n.effect_id DESC LIMIT page;
END
$$;
-- +goose StatementEnd

SELECT sendpromptly.allow('sendpromptly_operator', 'EXECUTE ON FUNCTION sendpromptly.effect_page');
