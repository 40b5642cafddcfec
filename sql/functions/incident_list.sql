-- The incident list of the console and the admin API: pages, where a walk ended, counts. Every filter is a column of the
-- type incident_filter (sql/schema), and its meaning is a line of incident_fits: nothing else names it.

-- One page of a project's incidents, newest first. filter is engine.IncidentFilter as JSON.
--
-- A term, subject or customer leads to its effects by an index. Every other list walks its index from the newest incident
-- on. It stops when the page is full, or after walk incidents (null for all of them): if few match, the page is short and
-- incident_walk_end says where to continue. The planner does not know how soon a page is full, and must not read the whole
-- table instead.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.incident_page(project text, before uuid, page integer, walk integer, filter json)
  RETURNS TABLE (project_id integer, incident_id uuid)
  LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 50 SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_bitmapscan = off
  SET enable_hashjoin = off SET enable_mergejoin = off SET enable_sort = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
  v_project integer := (SELECT p.project_id FROM sendpromptly.projects AS p WHERE p.name = project);
  v sendpromptly.incident_filter := sendpromptly.read_filter(filter);
  v_ids uuid[] := sendpromptly.filter_effects(v_project, v);
  v_oldest uuid := coalesce(sendpromptly.uuid7_floor(v.opened_after), '00000000-0000-0000-0000-000000000000');
BEGIN
  before := least(before, sendpromptly.uuid7_floor(v.opened_before));
  IF v_ids IS NOT NULL THEN
    v.text := CASE WHEN coalesce(v.term, v.subject, v.customer) IS NOT NULL THEN v.text END; -- else text named the effects
    RETURN QUERY SELECT v_project, n.incident_id FROM (
      SELECT i.incident_id FROM unnest(v_ids) AS t(effect_id)
      CROSS JOIN LATERAL (SELECT o.incident_id, o AS incident FROM sendpromptly.incidents AS o
        WHERE o.project_id = v_project AND o.effect_id = t.effect_id LIMIT 1) AS i
      CROSS JOIN LATERAL (SELECT f.effect_id FROM sendpromptly.effects AS f
        WHERE f.project_id = v_project AND f.effect_id = t.effect_id AND sendpromptly.incident_fits(i.incident, f, v) LIMIT 1) AS fitting
      WHERE i.incident_id < before AND i.incident_id >= v_oldest
      OFFSET 0) AS n
    ORDER BY n.incident_id DESC LIMIT page;
  ELSIF v.open THEN
    RETURN QUERY SELECT v_project, i.incident_id FROM (
      SELECT o.incident_id, o.effect_id, o AS incident FROM sendpromptly.incidents AS o
      WHERE o.project_id = v_project AND o.incident_id < before AND o.incident_id >= v_oldest AND sendpromptly.is_open(o.state)
      ORDER BY o.incident_id DESC LIMIT walk) AS i
    CROSS JOIN LATERAL (SELECT f.effect_id FROM sendpromptly.effects AS f
      WHERE f.project_id = v_project AND f.effect_id = i.effect_id AND sendpromptly.incident_fits(i.incident, f, v) LIMIT 1) AS fitting
    ORDER BY i.incident_id DESC LIMIT page;
  ELSE
    RETURN QUERY SELECT v_project, i.incident_id FROM (
      SELECT o.incident_id, o.effect_id, o AS incident FROM sendpromptly.incidents AS o
      WHERE o.project_id = v_project AND o.incident_id < before AND o.incident_id >= v_oldest
      ORDER BY o.incident_id DESC LIMIT walk) AS i
    CROSS JOIN LATERAL (SELECT f.effect_id FROM sendpromptly.effects AS f
      WHERE f.project_id = v_project AND f.effect_id = i.effect_id AND sendpromptly.incident_fits(i.incident, f, v) LIMIT 1) AS fitting
    ORDER BY i.incident_id DESC LIMIT page;
  END IF;
END
$$;
-- +goose StatementEnd

-- The last incident that incident_page read if walk ended it; null if it read all of them.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.incident_walk_end(project text, before uuid, walk integer, filter json) RETURNS uuid
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_bitmapscan = off
  SET enable_sort = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
  v_project integer := (SELECT p.project_id FROM sendpromptly.projects AS p WHERE p.name = project);
  v sendpromptly.incident_filter := sendpromptly.read_filter(filter);
  v_oldest uuid := coalesce(sendpromptly.uuid7_floor(v.opened_after), '00000000-0000-0000-0000-000000000000');
BEGIN
  before := least(before, sendpromptly.uuid7_floor(v.opened_before));
  IF sendpromptly.filter_effects(v_project, v) IS NOT NULL THEN
    RETURN NULL;
  ELSIF v.open THEN
    RETURN (SELECT o.incident_id FROM sendpromptly.incidents AS o
      WHERE o.project_id = v_project AND o.incident_id < before AND o.incident_id >= v_oldest AND sendpromptly.is_open(o.state)
      ORDER BY o.incident_id DESC OFFSET walk - 1 LIMIT 1);
  END IF;
  RETURN (SELECT o.incident_id FROM sendpromptly.incidents AS o
    WHERE o.project_id = v_project AND o.incident_id < before AND o.incident_id >= v_oldest
    ORDER BY o.incident_id DESC OFFSET walk - 1 LIMIT 1);
END
$$;
-- +goose StatementEnd

-- How many incidents match, up to a bound: capped means that there may be more. It reads the newest walk incidents. For
-- state, cause and time an index can count nearly alone. Every other filter reads the effects: it checks 10,000 incidents,
-- as one page does, and stops once a tenth of walk match.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.incident_count(project text, filter json, walk integer, OUT fitting integer, OUT capped boolean)
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_bitmapscan = off
  SET enable_sort = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
  v_project integer := (SELECT p.project_id FROM sendpromptly.projects AS p WHERE p.name = project);
  v sendpromptly.incident_filter := sendpromptly.read_filter(filter);
  v_last uuid := 'ffffffff-ffff-ffff-ffff-ffffffffffff';
  v_oldest uuid := coalesce(sendpromptly.uuid7_floor(v.opened_after), '00000000-0000-0000-0000-000000000000');
  v_most integer := walk / 10;
BEGIN
  IF EXISTS (SELECT 1 FROM json_each_text(filter) AS m
      WHERE m.value IS NOT NULL AND m.key NOT IN ('open', 'state', 'cause', 'opened_after', 'opened_before')) THEN
    walk := least(walk, 10000);
    fitting := (SELECT count(*) FROM sendpromptly.incident_page(project, v_last, v_most, walk, filter));
    capped := fitting = v_most OR sendpromptly.incident_walk_end(project, v_last, walk, filter) IS NOT NULL;
    RETURN;
  END IF;
  v_last := least(v_last, sendpromptly.uuid7_floor(v.opened_before));
  IF v.open THEN
    SELECT count(*) FILTER (WHERE sendpromptly.state_fits(n.state, n.cause, NULL, v)), count(*) = walk
    INTO fitting, capped FROM ( -- open incidents are not resolved: the index has the other columns
      SELECT o.state, o.cause FROM sendpromptly.incidents AS o
      WHERE o.project_id = v_project AND o.incident_id < v_last AND o.incident_id >= v_oldest AND sendpromptly.is_open(o.state)
      ORDER BY o.incident_id DESC LIMIT walk) AS n;
  ELSE
    SELECT count(*) FILTER (WHERE sendpromptly.state_fits(n.state, n.cause, n.resolved_at, v)), count(*) = walk
    INTO fitting, capped FROM (
      SELECT o.state, o.cause, o.resolved_at FROM sendpromptly.incidents AS o
      WHERE o.project_id = v_project AND o.incident_id < v_last AND o.incident_id >= v_oldest
      ORDER BY o.incident_id DESC LIMIT walk) AS n;
  END IF;
END
$$;
-- +goose StatementEnd

-- The filter as a row. A state that is open restricts the list to open incidents.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.read_filter(filter json) RETURNS sendpromptly.incident_filter
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v sendpromptly.incident_filter := json_populate_record(NULL::sendpromptly.incident_filter, filter);
BEGIN
  v.open := coalesce(v.open, false) OR coalesce(sendpromptly.is_open(v.state), false);
  RETURN v;
END
$$;
-- +goose StatementEnd

-- Whether an incident and its receipt match a filter, except for the time, which is a range of ids. It and state_fits are
-- plain expressions that Postgres inlines into the caller's queries.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.incident_fits(i sendpromptly.incidents, f sendpromptly.effects, v sendpromptly.incident_filter) RETURNS boolean
  LANGUAGE sql STABLE AS $$
  SELECT (NOT (v).open OR sendpromptly.is_open((i).state)) AND sendpromptly.state_fits((i).state, (i).cause, (i).resolved_at, v)
    AND ((v).provider IS NULL OR (f).provider OPERATOR(pg_catalog.=) sendpromptly.short((v).provider))
    AND ((v).event_type IS NULL OR (f).event_type OPERATOR(pg_catalog.=) sendpromptly.short((v).event_type))
    AND ((v).effect IS NULL OR (f).effect OPERATOR(pg_catalog.=) sendpromptly.short((v).effect))
    AND ((v).customer IS NULL OR pg_catalog.lower((f).customer) OPERATOR(pg_catalog.=) pg_catalog.lower((v).customer))
    AND ((v).subject IS NULL OR pg_catalog.lower((f).subject) OPERATOR(pg_catalog.=) pg_catalog.lower((v).subject))
    AND ((v).version IS NULL OR (f).version OPERATOR(pg_catalog.=) (v).version)
    AND ((v).text IS NULL OR pg_catalog.strpos(pg_catalog.lower(pg_catalog.concat_ws(' ', (i).error_code, (i).error_message)),
      pg_catalog.lower((v).text)) OPERATOR(pg_catalog.>) 0)
$$;

-- The requested state is the one that lists show: an incident whose effect arrived is resolved (applied), unless an operator
-- had closed it before, which left resolved_at null. Then it stays closed.
CREATE OR REPLACE FUNCTION sendpromptly.state_fits(state text, cause text, resolved_at timestamptz, v sendpromptly.incident_filter) RETURNS boolean
  LANGUAGE sql IMMUTABLE AS $$
  SELECT ((v).state IS NULL OR (v).state OPERATOR(pg_catalog.=) CASE
      WHEN state_fits.state OPERATOR(pg_catalog.<>) ALL (ARRAY['applied', 'withdrawn']) THEN state_fits.state
      WHEN state_fits.resolved_at IS NULL THEN 'closed'
      ELSE 'applied' END)
    AND ((v).cause IS NULL OR state_fits.cause OPERATOR(pg_catalog.=) (v).cause)
$$;
-- +goose StatementEnd

-- The effects that a filter names, null if it names none. text is a term or an event id if one is known; otherwise it is
-- searched in the last error of the incidents that are walked.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.filter_effects(project_id integer, v sendpromptly.incident_filter) RETURNS uuid[]
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF coalesce(v.term, v.subject, v.customer) IS NOT NULL THEN
    RETURN sendpromptly.effects_named(project_id, coalesce(v.term, v.subject, v.customer));
  ELSIF v.text IS NULL THEN
    RETURN NULL;
  END IF;
  RETURN nullif(sendpromptly.effects_named(project_id, v.text), '{}');
END
$$;
-- +goose StatementEnd

-- The newest effects that a term, an event id or the source event of a second receipt names, at most 10,000.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.effects_named(project_id integer, term text) RETURNS uuid[]
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off SET jit = off AS $$
  SELECT ARRAY(
    (SELECT t.effect_id FROM sendpromptly.terms AS t
      WHERE t.project_id = effects_named.project_id AND t.term = lower(effects_named.term) ORDER BY t.effect_id DESC LIMIT 10000)
    UNION
    (SELECT e.effect_id FROM sendpromptly.effects AS e
      WHERE e.project_id = effects_named.project_id AND e.event_id = effects_named.term LIMIT 100)
    UNION
    (SELECT n.effect_id FROM sendpromptly.entries AS n
      WHERE n.project_id = effects_named.project_id AND n.kind IN ('duplicate', 'mismatch') AND n.note IS NOT NULL
        AND lower(substring(n.note, 'by source event (.+)$')) = lower(effects_named.term) LIMIT 100))
$$;
-- +goose StatementEnd

SELECT sendpromptly.allow('sendpromptly_operator',
  'EXECUTE ON FUNCTION sendpromptly.incident_page, sendpromptly.incident_walk_end, sendpromptly.incident_count');
