-- The incident list of the console and the admin API: pages, where a walk ended, counts.

-- One page of a project's incidents, newest first. filter is engine.IncidentFilter
-- as JSON.
--
-- A term, subject or customer leads to its effects by an index. Every other list
-- walks its index from the newest incident on and stops when the page is full, or
-- after walk incidents, null for all of them: where few fit, the page is short
-- and incident_walk_end says where to go on. The planner, which does not know how
-- soon a page is full, must not read the whole instead.
--
-- text is a term or an event id, where one is known; else it is looked for in the
-- last error of the incidents that are walked.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.incident_page(project text, before uuid, page integer, walk integer, filter json)
  RETURNS TABLE (project_id integer, incident_id uuid)
  LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 50 SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_bitmapscan = off
  SET enable_hashjoin = off SET enable_mergejoin = off SET enable_sort = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
  v_project integer := (SELECT p.project_id FROM sendpromptly.projects AS p WHERE p.name = project);
  v record;
  v_ids uuid[];
  v_oldest uuid;
BEGIN
  SELECT f.* INTO v FROM sendpromptly.filter_members(filter) AS f;
  v_oldest := coalesce(sendpromptly.uuid7_floor(v.opened_after), '00000000-0000-0000-0000-000000000000');
  before := least(before, sendpromptly.uuid7_floor(v.opened_before));
  IF coalesce(v.term, v.subject, v.customer) IS NOT NULL THEN
    v_ids := sendpromptly.effects_named(v_project, coalesce(v.term, v.subject, v.customer));
  ELSIF v.error IS NOT NULL THEN
    v_ids := nullif(sendpromptly.effects_named(v_project, v.error), '{}');
    v.error := CASE WHEN v_ids IS NULL THEN v.error END;
  END IF;
  IF v_ids IS NOT NULL THEN
    RETURN QUERY SELECT v_project, n.incident_id FROM (
      SELECT i.incident_id FROM unnest(v_ids) AS t(effect_id)
      CROSS JOIN LATERAL (SELECT o.* FROM sendpromptly.incidents AS o
        WHERE o.project_id = v_project AND o.effect_id = t.effect_id LIMIT 1) AS i
      CROSS JOIN LATERAL (SELECT f.effect_id FROM sendpromptly.effects AS f
        WHERE f.project_id = v_project AND f.effect_id = i.effect_id AND sendpromptly.effect_fits(f, v.provider, v.event_type,
          v.effect, v.customer, v.subject, v.version) LIMIT 1) AS fitting
      WHERE i.incident_id < before AND i.incident_id >= v_oldest
        AND (NOT v.open OR i.state IN ('failed', 'missing', 'reprocessing'))
        AND (v.state IS NULL OR i.state = v.state) AND (v.cause IS NULL OR i.cause = v.cause)
        AND (v.error IS NULL OR strpos(lower(concat_ws(' ', i.error_code, i.error_message)), lower(v.error)) > 0)
      OFFSET 0) AS n
    ORDER BY n.incident_id DESC LIMIT page;
  ELSIF v.open THEN
    RETURN QUERY SELECT v_project, i.incident_id FROM (
      SELECT o.* FROM sendpromptly.incidents AS o
      WHERE o.project_id = v_project AND o.incident_id < before AND o.incident_id >= v_oldest AND o.state IN ('failed', 'missing', 'reprocessing')
      ORDER BY o.incident_id DESC LIMIT walk) AS i
    CROSS JOIN LATERAL (SELECT f.effect_id FROM sendpromptly.effects AS f
      WHERE f.project_id = v_project AND f.effect_id = i.effect_id AND sendpromptly.effect_fits(f, v.provider, v.event_type,
        v.effect, NULL, NULL, v.version) LIMIT 1) AS fitting
    WHERE (v.state IS NULL OR i.state = v.state) AND (v.cause IS NULL OR i.cause = v.cause)
      AND (v.error IS NULL OR strpos(lower(concat_ws(' ', i.error_code, i.error_message)), lower(v.error)) > 0)
    ORDER BY i.incident_id DESC LIMIT page;
  ELSE
    RETURN QUERY SELECT v_project, i.incident_id FROM (
      SELECT o.* FROM sendpromptly.incidents AS o
      WHERE o.project_id = v_project AND o.incident_id < before AND o.incident_id >= v_oldest
      ORDER BY o.incident_id DESC LIMIT walk) AS i
    CROSS JOIN LATERAL (SELECT f.effect_id FROM sendpromptly.effects AS f
      WHERE f.project_id = v_project AND f.effect_id = i.effect_id AND sendpromptly.effect_fits(f, v.provider, v.event_type,
        v.effect, NULL, NULL, v.version) LIMIT 1) AS fitting
    WHERE (v.state IS NULL OR i.state = v.state) AND (v.cause IS NULL OR i.cause = v.cause)
      AND (v.error IS NULL OR strpos(lower(concat_ws(' ', i.error_code, i.error_message)), lower(v.error)) > 0)
    ORDER BY i.incident_id DESC LIMIT page;
  END IF;
END
$$;
-- +goose StatementEnd

-- The last incident that incident_page looked at where walk ended it; null where
-- it saw all of them.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.incident_walk_end(project text, before uuid, walk integer, filter json) RETURNS uuid
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_bitmapscan = off
  SET enable_sort = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
  v_project integer := (SELECT p.project_id FROM sendpromptly.projects AS p WHERE p.name = project);
  v record;
  v_oldest uuid;
BEGIN
  SELECT f.* INTO v FROM sendpromptly.filter_members(filter) AS f;
  v_oldest := coalesce(sendpromptly.uuid7_floor(v.opened_after), '00000000-0000-0000-0000-000000000000');
  before := least(before, sendpromptly.uuid7_floor(v.opened_before));
  IF coalesce(v.term, v.subject, v.customer) IS NOT NULL
    OR v.error IS NOT NULL AND sendpromptly.effects_named(v_project, v.error) <> '{}' THEN
    RETURN NULL;
  ELSIF v.open THEN
    RETURN (SELECT o.incident_id FROM sendpromptly.incidents AS o
      WHERE o.project_id = v_project AND o.incident_id < before AND o.incident_id >= v_oldest AND o.state IN ('failed', 'missing', 'reprocessing')
      ORDER BY o.incident_id DESC OFFSET walk - 1 LIMIT 1);
  END IF;
  RETURN (SELECT o.incident_id FROM sendpromptly.incidents AS o
    WHERE o.project_id = v_project AND o.incident_id < before AND o.incident_id >= v_oldest
    ORDER BY o.incident_id DESC OFFSET walk - 1 LIMIT 1);
END
$$;
-- +goose StatementEnd

-- How many incidents fit, up to a bound: capped says that there may be more. It
-- looks at the newest walk incidents, which an index nearly counts alone where
-- only state, cause and time are asked for. Everything else reads the effects:
-- it looks at 10,000, as one page does, and stops once a tenth of walk fit.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.incident_count(project text, filter json, walk integer, OUT fitting integer, OUT capped boolean)
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_bitmapscan = off
  SET enable_sort = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
  v_project integer := (SELECT p.project_id FROM sendpromptly.projects AS p WHERE p.name = project);
  v record;
  v_last uuid := 'ffffffff-ffff-ffff-ffff-ffffffffffff';
  v_oldest uuid;
  v_most integer := walk / 10;
BEGIN
  SELECT f.* INTO v FROM sendpromptly.filter_members(filter) AS f;
  IF coalesce(v.term, v.subject, v.customer, v.error, v.provider, v.event_type, v.effect, v.version) IS NOT NULL THEN
    walk := least(walk, 10000);
    fitting := (SELECT count(*) FROM sendpromptly.incident_page(project, v_last, v_most, walk, filter));
    capped := fitting = v_most OR sendpromptly.incident_walk_end(project, v_last, walk, filter) IS NOT NULL;
    RETURN;
  END IF;
  v_oldest := coalesce(sendpromptly.uuid7_floor(v.opened_after), '00000000-0000-0000-0000-000000000000');
  v_last := least(v_last, sendpromptly.uuid7_floor(v.opened_before));
  IF v.open THEN
    SELECT count(*) FILTER (WHERE (v.state IS NULL OR n.state = v.state) AND (v.cause IS NULL OR n.cause = v.cause)), count(*) = walk
    INTO fitting, capped FROM (
      SELECT o.state, o.cause FROM sendpromptly.incidents AS o
      WHERE o.project_id = v_project AND o.incident_id < v_last AND o.incident_id >= v_oldest AND o.state IN ('failed', 'missing', 'reprocessing')
      ORDER BY o.incident_id DESC LIMIT walk) AS n;
  ELSE
    SELECT count(*) FILTER (WHERE (v.state IS NULL OR n.state = v.state) AND (v.cause IS NULL OR n.cause = v.cause)), count(*) = walk
    INTO fitting, capped FROM (
      SELECT o.state, o.cause FROM sendpromptly.incidents AS o
      WHERE o.project_id = v_project AND o.incident_id < v_last AND o.incident_id >= v_oldest
      ORDER BY o.incident_id DESC LIMIT walk) AS n;
  END IF;
END
$$;
-- +goose StatementEnd

-- The members of a filter. A state that is open asks for open incidents only.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.filter_members(filter json)
  RETURNS TABLE (open boolean, state text, cause text, provider text, event_type text, effect text, term text, customer text,
    subject text, version text, opened_after timestamptz, opened_before timestamptz, error text)
  LANGUAGE sql STABLE ROWS 1 SET search_path = pg_catalog, pg_temp AS $$
  SELECT coalesce(f.open, false) OR coalesce(f.state IN ('failed', 'missing', 'reprocessing'), false), f.state, f.cause, f.provider, f.event_type,
    f.effect, f.term, f.customer, f.subject, f.version, f.opened_after, f.opened_before, f.text
  FROM json_to_record(filter) AS f(open boolean, state text, cause text, provider text, event_type text, effect text, term text,
    customer text, subject text, version text, opened_after timestamptz, opened_before timestamptz, text text)
$$;
-- +goose StatementEnd

-- Whether a receipt passes a filter; null lets everything pass.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.effect_fits(f sendpromptly.effects, provider text, event_type text, effect text,
    customer text, subject text, version text) RETURNS boolean
  LANGUAGE sql IMMUTABLE AS $$
  SELECT (effect_fits.provider IS NULL OR (f).provider OPERATOR(pg_catalog.=) sendpromptly.short(effect_fits.provider))
    AND (effect_fits.event_type IS NULL OR (f).event_type OPERATOR(pg_catalog.=) sendpromptly.short(effect_fits.event_type))
    AND (effect_fits.effect IS NULL OR (f).effect OPERATOR(pg_catalog.=) sendpromptly.short(effect_fits.effect))
    AND (effect_fits.customer IS NULL OR pg_catalog.lower((f).customer) OPERATOR(pg_catalog.=) pg_catalog.lower(effect_fits.customer))
    AND (effect_fits.subject IS NULL OR pg_catalog.lower((f).subject) OPERATOR(pg_catalog.=) pg_catalog.lower(effect_fits.subject))
    AND (effect_fits.version IS NULL OR (f).version OPERATOR(pg_catalog.=) effect_fits.version)
$$;
-- +goose StatementEnd

-- The newest effects that a term or an event id names, at most 10,000.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.effects_named(project_id integer, term text) RETURNS uuid[]
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off SET jit = off AS $$
  SELECT ARRAY(
    (SELECT t.effect_id FROM sendpromptly.terms AS t
      WHERE t.project_id = effects_named.project_id AND t.term = lower(effects_named.term) ORDER BY t.effect_id DESC LIMIT 10000)
    UNION
    (SELECT e.effect_id FROM sendpromptly.effects AS e
      WHERE e.project_id = effects_named.project_id AND e.event_id = effects_named.term LIMIT 100))
$$;
-- +goose StatementEnd

SELECT sendpromptly.allow('sendpromptly_operator',
  'EXECUTE ON FUNCTION sendpromptly.incident_page, sendpromptly.incident_walk_end, sendpromptly.incident_count');
