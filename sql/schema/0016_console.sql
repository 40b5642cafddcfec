-- +goose Up
-- What the console and the admin API read: pages of incidents and effects,
-- counts, statistics; and what they keep: plans and saved views.

-- One bucket a minute and project. Folded in by count_receipts and
-- fold_statistics, off the caller's path: they may lag behind a long transaction.
CREATE TABLE sendpromptly.statistics (
  project_id integer NOT NULL,
  bucket     timestamptz NOT NULL,
  receipts   integer NOT NULL DEFAULT 0,
  opened     integer NOT NULL DEFAULT 0,
  recovered  integer NOT NULL DEFAULT 0,
  closed     integer NOT NULL DEFAULT 0,
  PRIMARY KEY (project_id, bucket)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);

-- One row an incident that a success resolved, by when that was.
CREATE TABLE sendpromptly.recoveries (
  project_id  integer NOT NULL,
  at          timestamptz NOT NULL,
  incident_id uuid NOT NULL,
  seconds     double precision NOT NULL,
  PRIMARY KEY (project_id, at, incident_id)
) WITH (fillfactor = 100, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_insert_scale_factor = 0.05);

-- How far fold_statistics has come in changes.
CREATE TABLE sendpromptly.statistics_cursor (
  singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
  xid  xid8 NOT NULL,
  seq  bigint NOT NULL
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02);
INSERT INTO sendpromptly.statistics_cursor (xid, seq) VALUES ('0', 0);

-- A plan is a bulk action over a frozen set of incidents. It acts once it is
-- started, on each incident only as it was when the set was frozen.
CREATE TABLE sendpromptly.plans (
  project_id  integer NOT NULL,
  plan_id     uuid NOT NULL,
  action      text NOT NULL CHECK (action IN ('reprocess', 'close')),
  filter      text NOT NULL,
  note        text,
  size        integer NOT NULL,
  created_at  timestamptz NOT NULL,
  created_by  text NOT NULL,
  started_at  timestamptz,
  started_by  text,
  finished_at timestamptz,
  stopped_by  text,
  PRIMARY KEY (project_id, plan_id),
  CONSTRAINT plans_close_with_a_note CHECK (action <> 'close' OR note IS NOT NULL)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05);

CREATE INDEX plans_running ON sendpromptly.plans (project_id, plan_id) WHERE started_at IS NOT NULL AND finished_at IS NULL;

-- outcome is null while the incident waits for its turn.
CREATE TABLE sendpromptly.plan_items (
  project_id  integer NOT NULL,
  plan_id     uuid NOT NULL,
  incident_id uuid NOT NULL,
  revision    integer NOT NULL,
  outcome     text CHECK (outcome IN ('requested', 'closed', 'changed', 'refused', 'error', 'stopped')),
  replay_id   uuid,
  PRIMARY KEY (project_id, plan_id, incident_id)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05);

CREATE INDEX plan_items_waiting ON sendpromptly.plan_items (project_id, plan_id, incident_id) WHERE outcome IS NULL;

-- Filters that a team keeps by name.
CREATE TABLE sendpromptly.saved_views (
  project_id integer NOT NULL,
  view_id    uuid NOT NULL,
  name       text NOT NULL,
  filter     text NOT NULL,
  created_by text NOT NULL,
  created_at timestamptz NOT NULL,
  PRIMARY KEY (project_id, view_id),
  CONSTRAINT saved_views_name UNIQUE (project_id, name)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05);

-- Whether a receipt passes a filter; null lets everything pass.
-- +goose StatementBegin
CREATE FUNCTION sendpromptly.effect_fits(f sendpromptly.effects, provider text, event_type text, effect text,
    customer text, subject text, version text) RETURNS boolean
  LANGUAGE sql IMMUTABLE AS $$
  SELECT (effect_fits.provider IS NULL OR (f).provider OPERATOR(pg_catalog.=) sendpromptly.short(effect_fits.provider))
    AND (effect_fits.event_type IS NULL OR (f).event_type OPERATOR(pg_catalog.=) sendpromptly.short(effect_fits.event_type))
    AND (effect_fits.effect IS NULL OR (f).effect OPERATOR(pg_catalog.=) sendpromptly.short(effect_fits.effect))
    AND (effect_fits.customer IS NULL OR pg_catalog.lower((f).customer) OPERATOR(pg_catalog.=) pg_catalog.lower(effect_fits.customer))
    AND (effect_fits.subject IS NULL OR pg_catalog.lower((f).subject) OPERATOR(pg_catalog.=) pg_catalog.lower(effect_fits.subject))
    AND (effect_fits.version IS NULL OR (f).version OPERATOR(pg_catalog.=) effect_fits.version)
$$;

-- The newest effects that a term or an event id names, at most 10,000.
CREATE FUNCTION sendpromptly.effects_named(project_id integer, term text) RETURNS uuid[]
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off SET jit = off AS $$
  SELECT ARRAY(
    (SELECT t.effect_id FROM sendpromptly.terms AS t
      WHERE t.project_id = effects_named.project_id AND t.term = lower(effects_named.term) ORDER BY t.effect_id DESC LIMIT 10000)
    UNION
    (SELECT e.effect_id FROM sendpromptly.effects AS e
      WHERE e.project_id = effects_named.project_id AND e.event_id = effects_named.term LIMIT 100))
$$;

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
CREATE FUNCTION sendpromptly.incident_page(project text, before uuid, page integer, walk integer, filter json)
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

-- The members of a filter. A state that is open asks for open incidents only.
CREATE FUNCTION sendpromptly.filter_members(filter json)
  RETURNS TABLE (open boolean, state text, cause text, provider text, event_type text, effect text, term text, customer text,
    subject text, version text, opened_after timestamptz, opened_before timestamptz, error text)
  LANGUAGE sql STABLE ROWS 1 SET search_path = pg_catalog, pg_temp AS $$
  SELECT coalesce(f.open, false) OR coalesce(f.state IN ('failed', 'missing', 'reprocessing'), false), f.state, f.cause, f.provider, f.event_type,
    f.effect, f.term, f.customer, f.subject, f.version, f.opened_after, f.opened_before, f.text
  FROM json_to_record(filter) AS f(open boolean, state text, cause text, provider text, event_type text, effect text, term text,
    customer text, subject text, version text, opened_after timestamptz, opened_before timestamptz, text text)
$$;

-- The last incident that incident_page looked at where walk ended it; null where
-- it saw all of them.
CREATE FUNCTION sendpromptly.incident_walk_end(project text, before uuid, walk integer, filter json) RETURNS uuid
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

-- How many incidents fit, up to a bound: capped says that there may be more. It
-- looks at the newest walk incidents, which an index nearly counts alone where
-- only state, cause and time are asked for. Everything else reads the effects:
-- it looks at 10,000, as one page does, and stops once a tenth of walk fit.
CREATE FUNCTION sendpromptly.incident_count(project text, filter json, walk integer, OUT fitting integer, OUT capped boolean)
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

-- One page of a project's effects, newest first: all, or those that a term
-- names: what terms holds, the event's id, or an id of ours (effect, incident,
-- replay).
CREATE FUNCTION sendpromptly.effect_page(project text, before uuid, page integer, term text)
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

-- What a project's front page says; what is counted is counted up to 100,001.
CREATE FUNCTION sendpromptly.overview_counts(project_id integer, OUT owed integer, OUT overdue integer, OUT callbacks_waiting integer,
    OUT recovered integer, OUT median_seconds double precision)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET jit = off AS $$
  SELECT
    (SELECT count(*) FROM (SELECT 1 FROM sendpromptly.owed AS o WHERE o.project_id = overview_counts.project_id LIMIT 100001) AS a)::integer,
    (SELECT count(*) FROM (SELECT 1 FROM sendpromptly.owed AS o
      WHERE o.deadline < (SELECT sendpromptly.clock()) AND o.project_id = overview_counts.project_id LIMIT 100001) AS b)::integer,
    (SELECT count(*) FROM (SELECT 1 FROM sendpromptly.callbacks AS c
      WHERE c.project_id = overview_counts.project_id AND c.state IN ('waiting', 'leased') LIMIT 100001) AS d)::integer,
    r.recovered::integer, coalesce(r.median, 0)
  FROM (
    SELECT count(*) AS recovered, percentile_cont(0.5) WITHIN GROUP (ORDER BY n.seconds) AS median FROM (
      SELECT x.seconds FROM sendpromptly.recoveries AS x
      WHERE x.project_id = overview_counts.project_id AND x.at > (SELECT sendpromptly.clock()) - interval '1 day'
      ORDER BY x.at DESC LIMIT 100001) AS n) AS r
$$;

-- Counts receipts into their minutes. index_terms calls it as its cursor passes
-- them, which it does once.
CREATE FUNCTION sendpromptly.count_receipts(project_id integer, effect_ids uuid[]) RETURNS void
  LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
  INSERT INTO sendpromptly.statistics AS s (project_id, bucket, receipts)
  SELECT count_receipts.project_id, n.bucket, n.receipts FROM (
    SELECT date_bin('1 minute', e.accepted_at, '2000-01-01Z') AS bucket, count(*) AS receipts FROM sendpromptly.effects AS e
    WHERE e.project_id = count_receipts.project_id AND e.effect_id = ANY (effect_ids) GROUP BY 1) AS n
  ORDER BY n.bucket
  ON CONFLICT (project_id, bucket) DO UPDATE SET receipts = s.receipts + excluded.receipts
$$;

-- Folds incidents that opened, recovered and were closed into the statistics.
-- It follows the change feed below the oldest running transaction, where
-- nothing can appear any more; one engine at a time holds the cursor. Buckets are
-- taken in order, as index_terms takes them. Both tables keep 35 days.
CREATE FUNCTION sendpromptly.fold_statistics(batch integer, OUT taken integer)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
  v_cursor sendpromptly.statistics_cursor;
  v_last record;
  v_old timestamptz := sendpromptly.clock() - interval '35 days';
BEGIN
  taken := 0;
  SELECT c.* INTO v_cursor FROM sendpromptly.statistics_cursor AS c FOR UPDATE SKIP LOCKED;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  SELECT n.xid, n.seq, n.place INTO v_last FROM (
    SELECT c.xid, c.seq, row_number() OVER (ORDER BY c.xid, c.seq) AS place FROM (
      SELECT f.xid, f.seq FROM sendpromptly.changes AS f
      WHERE (f.xid, f.seq) > (v_cursor.xid, v_cursor.seq) AND f.xid < pg_snapshot_xmin(pg_current_snapshot())
      ORDER BY f.xid, f.seq LIMIT batch) AS c) AS n
  ORDER BY n.place DESC LIMIT 1;
  DELETE FROM sendpromptly.statistics WHERE ctid = ANY (ARRAY(
    SELECT s.place FROM sendpromptly.projects AS p CROSS JOIN LATERAL (SELECT o.ctid AS place FROM sendpromptly.statistics AS o
      WHERE o.project_id = p.project_id AND o.bucket < v_old ORDER BY o.bucket LIMIT batch) AS s));
  DELETE FROM sendpromptly.recoveries WHERE ctid = ANY (ARRAY(
    SELECT s.place FROM sendpromptly.projects AS p CROSS JOIN LATERAL (SELECT o.ctid AS place FROM sendpromptly.recoveries AS o
      WHERE o.project_id = p.project_id AND o.at < v_old ORDER BY o.at LIMIT batch) AS s));
  IF v_last.xid IS NULL THEN
    RETURN;
  END IF;
  taken := v_last.place;
  WITH span AS MATERIALIZED (
    SELECT c.project_id, c.subject_id, c.at, c.what FROM sendpromptly.changes AS c
    WHERE (c.xid, c.seq) > (v_cursor.xid, v_cursor.seq) AND (c.xid, c.seq) <= (v_last.xid, v_last.seq) AND c.kind = 'incident'
  ), recovered AS (
    INSERT INTO sendpromptly.recoveries (project_id, at, incident_id, seconds)
    SELECT s.project_id, i.resolved_at, s.subject_id, extract(epoch FROM i.resolved_at - i.opened_at)
    FROM span AS s CROSS JOIN LATERAL (SELECT o.opened_at, o.resolved_at FROM sendpromptly.incidents AS o
      WHERE o.project_id = s.project_id AND o.incident_id = s.subject_id AND o.resolved_at IS NOT NULL LIMIT 1) AS i
    WHERE s.what = 'applied'
    ON CONFLICT DO NOTHING
  )
  INSERT INTO sendpromptly.statistics AS s (project_id, bucket, opened, recovered, closed)
  SELECT n.project_id, n.bucket, n.opened, n.recovered, n.closed FROM (
    SELECT c.project_id, date_bin('1 minute', c.at, '2000-01-01Z') AS bucket, count(*) FILTER (WHERE c.what = 'opened') AS opened,
      count(*) FILTER (WHERE c.what = 'applied') AS recovered, count(*) FILTER (WHERE c.what = 'closed') AS closed
    FROM span AS c WHERE c.what IN ('opened', 'applied', 'closed') GROUP BY 1, 2) AS n
  ORDER BY n.project_id, n.bucket
  ON CONFLICT (project_id, bucket) DO UPDATE SET opened = s.opened + excluded.opened, recovered = s.recovered + excluded.recovered,
    closed = s.closed + excluded.closed;
  UPDATE sendpromptly.statistics_cursor SET xid = v_last.xid, seq = v_last.seq;
END
$$;

-- Freezes the set of a plan: the incidents that fit the filter now, as they are
-- now. size is -1, and nothing is kept, where there are more than most.
CREATE FUNCTION sendpromptly.create_plan(project text, action text, filter text, note text, operator text, most integer,
    OUT plan_id uuid, OUT size integer)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
  v_project integer := (SELECT p.project_id FROM sendpromptly.projects AS p WHERE p.name = project);
  v_now timestamptz := sendpromptly.clock();
  v_ids uuid[];
BEGIN
  v_ids := ARRAY(SELECT n.incident_id FROM sendpromptly.incident_page(project, 'ffffffff-ffff-ffff-ffff-ffffffffffff', most + 1, NULL, filter::json) AS n);
  size := cardinality(v_ids);
  IF size > most THEN
    size := -1;
    RETURN;
  END IF;
  plan_id := sendpromptly.uuid7(v_now);
  INSERT INTO sendpromptly.plan_items (project_id, plan_id, incident_id, revision)
  SELECT v_project, create_plan.plan_id, u.incident_id, i.revision FROM unnest(v_ids) AS u(incident_id)
  CROSS JOIN LATERAL (SELECT o.revision FROM sendpromptly.incidents AS o
    WHERE o.project_id = v_project AND o.incident_id = u.incident_id LIMIT 1) AS i;
  INSERT INTO sendpromptly.plans (project_id, plan_id, action, filter, note, size, created_at, created_by)
  VALUES (v_project, create_plan.plan_id, create_plan.action, create_plan.filter, left(create_plan.note, 2000), create_plan.size, v_now,
    left(operator, 255));
END
$$;

-- Deletes plans 90 days after they ended, or were made and never started: the
-- timelines and the audit log say what they did. At most batch of their incidents a call.
CREATE FUNCTION sendpromptly.purge_plans(batch integer, OUT taken integer)
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
  v_old timestamptz := sendpromptly.clock() - interval '90 days';
  v_plan record;
  v_rows integer;
BEGIN
  taken := 0;
  FOR v_plan IN
    SELECT n.project_id, n.plan_id FROM sendpromptly.projects AS q CROSS JOIN LATERAL (
      SELECT p.project_id, p.plan_id FROM sendpromptly.plans AS p
      WHERE p.project_id = q.project_id AND p.plan_id < sendpromptly.uuid7_floor(v_old)
        AND (p.finished_at < v_old OR p.started_at IS NULL)
      ORDER BY p.plan_id LIMIT purge_plans.batch) AS n
  LOOP
    EXIT WHEN taken >= batch;
    DELETE FROM sendpromptly.plan_items WHERE ctid = ANY (ARRAY(
      SELECT i.ctid FROM sendpromptly.plan_items AS i
      WHERE i.project_id = v_plan.project_id AND i.plan_id = v_plan.plan_id ORDER BY i.incident_id LIMIT batch - taken FOR UPDATE SKIP LOCKED));
    GET DIAGNOSTICS v_rows = ROW_COUNT;
    taken := taken + v_rows;
    DELETE FROM sendpromptly.plans AS p WHERE p.project_id = v_plan.project_id AND p.plan_id = v_plan.plan_id AND NOT EXISTS (
      SELECT 1 FROM sendpromptly.plan_items AS i WHERE i.project_id = p.project_id AND i.plan_id = p.plan_id);
    GET DIAGNOSTICS v_rows = ROW_COUNT;
    taken := taken + v_rows;
  END LOOP;
END
$$;

-- Acts on the next incident of one running plan. At most in_flight callbacks of
-- a project wait or are being sent: a plan never floods the repair endpoint, and
-- no attempt runs out of time in the queue. taken is false where no plan can go
-- on now. One incident a transaction: it never waits for one while it holds another.
-- One that cannot be acted on, for a reason that lies in a row, ends as an error,
-- which a note on its timeline tells, and holds up no other.
CREATE FUNCTION sendpromptly.run_plan_item(last_try interval, in_flight integer, OUT taken boolean)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
  v_plan record;
  v_item record;
  v_done record;
BEGIN
  taken := false;
  FOR v_plan IN
    SELECT p.*, q.name FROM sendpromptly.projects AS q CROSS JOIN LATERAL (
      SELECT o.* FROM sendpromptly.plans AS o
      WHERE o.project_id = q.project_id AND o.started_at IS NOT NULL AND o.finished_at IS NULL
      ORDER BY o.plan_id LIMIT 20) AS p
    WHERE p.action = 'close' OR in_flight > (SELECT count(*) FROM (SELECT 1 FROM sendpromptly.callbacks AS c
      WHERE c.project_id = p.project_id AND c.state IN ('waiting', 'leased') LIMIT in_flight) AS live)
  LOOP
    SELECT i.* INTO v_item FROM sendpromptly.plan_items AS i
    WHERE i.project_id = v_plan.project_id AND i.plan_id = v_plan.plan_id AND i.outcome IS NULL
    ORDER BY i.incident_id LIMIT 1 FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
      UPDATE sendpromptly.plans AS p SET finished_at = sendpromptly.clock()
      WHERE p.project_id = v_plan.project_id AND p.plan_id = v_plan.plan_id AND p.finished_at IS NULL AND NOT EXISTS (
        SELECT 1 FROM sendpromptly.plan_items AS i WHERE i.project_id = p.project_id AND i.plan_id = p.plan_id AND i.outcome IS NULL);
      CONTINUE;
    END IF;
    taken := true;
    BEGIN
      IF v_plan.action = 'reprocess' THEN
        SELECT r.refusal, r.replay_id INTO v_done
        FROM sendpromptly.reprocess(v_item.incident_id, v_plan.started_by, last_try, v_plan.name, v_item.revision) AS r;
      ELSE
        SELECT r.refusal, NULL::uuid AS replay_id INTO v_done
        FROM sendpromptly.close(v_item.incident_id, v_plan.started_by, v_plan.note, v_plan.name, v_item.revision) AS r;
      END IF;
    EXCEPTION WHEN OTHERS THEN
      IF NOT sendpromptly.rows_fault(SQLSTATE) THEN
        RAISE;
      END IF;
      SELECT 'error' AS refusal, NULL::uuid AS replay_id INTO v_done;
      INSERT INTO sendpromptly.entries (effect_id, at, project_id, kind, error_message, note)
      SELECT o.effect_id, sendpromptly.clock(), o.project_id, 'note', left(SQLERRM, 2000), 'a plan could not act on the incident'
      FROM sendpromptly.incidents AS o WHERE o.project_id = v_item.project_id AND o.incident_id = v_item.incident_id;
    END;
    UPDATE sendpromptly.plan_items AS i SET replay_id = v_done.replay_id, outcome = CASE
        WHEN v_done.refusal IS NULL THEN CASE v_plan.action WHEN 'reprocess' THEN 'requested' ELSE 'closed' END
        WHEN v_done.refusal IN ('changed', 'error') THEN v_done.refusal ELSE 'refused' END
    WHERE i.project_id = v_item.project_id AND i.plan_id = v_item.plan_id AND i.incident_id = v_item.incident_id;
    RETURN;
  END LOOP;
END
$$;
-- +goose StatementEnd

REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA sendpromptly FROM PUBLIC;
INSERT INTO sendpromptly.migrations (version, name) VALUES (16, 'console');
