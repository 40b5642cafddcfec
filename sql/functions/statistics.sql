-- What the console counts: statistics are updated off the caller's path, and the front page reads them.

-- Adds receipts to the counts of their minutes. index_terms calls it when its cursor passes them, which happens once.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.count_receipts(project_id integer, effect_ids uuid[]) RETURNS void
  LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
  INSERT INTO sendpromptly.statistics AS s (project_id, bucket, receipts)
  SELECT count_receipts.project_id, n.bucket, n.receipts FROM (
    SELECT date_bin('1 minute', e.accepted_at, '2000-01-01Z') AS bucket, count(*) AS receipts FROM sendpromptly.effects AS e
    WHERE e.project_id = count_receipts.project_id AND e.effect_id = ANY (effect_ids) GROUP BY 1) AS n
  ORDER BY n.bucket
  ON CONFLICT (project_id, bucket) DO UPDATE SET receipts = s.receipts + excluded.receipts
$$;
-- +goose StatementEnd

-- Adds incidents that opened, recovered and were closed to the statistics. It follows the change feed below the oldest
-- running transaction, where nothing can appear any more; one engine at a time holds the cursor. Buckets are locked in
-- order, as index_terms locks them. Both tables keep 35 days.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.fold_statistics(batch integer, OUT taken integer)
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
-- +goose StatementEnd

-- What a project's front page shows; counts stop at 100,001.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.overview_counts(project_id integer, OUT owed integer, OUT overdue integer, OUT callbacks_waiting integer,
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
-- +goose StatementEnd

SELECT sendpromptly.allow('sendpromptly_operator', 'EXECUTE ON FUNCTION sendpromptly.overview_counts');
