-- +goose Up
-- What engines do in the background besides the sweep.

-- Folds new effects into the search terms, after the caller's commit.
--
-- Effects are read in the order of their ids, which begin with their time. A
-- transaction that commits late could leave an older id behind the cursor, so
-- the cursor moves only up to a mark: a moment, and the first transaction id
-- not yet given out after it. accept takes its transaction id before it reads
-- the clock, so once every transaction below the mark's id has ended, no effect
-- older than the mark can appear. Until then the newest effects are folded in
-- at once, and again later, which changes nothing. taken counts only those that
-- the cursor passed: whoever repeats the step while it is full would repeat the
-- others without end.
--
-- Both reads walk the primary key and stop at the batch. Without statistics
-- PostgreSQL 17 would rather read everything after the cursor and sort it.
-- +goose StatementBegin
CREATE FUNCTION sendpromptly.index_terms(batch integer, OUT taken integer)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_bitmapscan = off
  SET enable_sort = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
  v_cursor sendpromptly.term_cursors;
  v_ids uuid[];
  v_now timestamptz;
BEGIN
  taken := 0;
  INSERT INTO sendpromptly.term_cursors (project_id, effect_id)
  SELECT p.project_id, '00000000-0000-0000-0000-000000000000' FROM sendpromptly.projects AS p
  WHERE NOT EXISTS (SELECT 1 FROM sendpromptly.term_cursors AS c WHERE c.project_id = p.project_id)
  ON CONFLICT DO NOTHING;
  FOR v_cursor IN SELECT c.* FROM sendpromptly.term_cursors AS c ORDER BY c.project_id FOR UPDATE SKIP LOCKED LOOP
    IF v_cursor.mark_xid <= pg_snapshot_xmin(pg_current_snapshot()) THEN
      SELECT array_agg(n.effect_id ORDER BY n.effect_id) INTO v_ids FROM (
        SELECT e.effect_id FROM sendpromptly.effects AS e
        WHERE e.project_id = v_cursor.project_id AND e.effect_id > v_cursor.effect_id
          AND e.effect_id < sendpromptly.uuid7_floor(v_cursor.mark_at)
        ORDER BY e.effect_id LIMIT batch) AS n;
      IF v_ids IS NOT NULL THEN
        UPDATE sendpromptly.term_cursors AS c SET effect_id = v_ids[cardinality(v_ids)] WHERE c.project_id = v_cursor.project_id;
        PERFORM sendpromptly.count_receipts(v_cursor.project_id, v_ids);
        taken := greatest(taken, cardinality(v_ids));
      END IF;
    ELSE
      SELECT array_agg(n.effect_id) INTO v_ids FROM (
        SELECT e.effect_id FROM sendpromptly.effects AS e
        WHERE e.project_id = v_cursor.project_id AND e.effect_id > v_cursor.effect_id
        ORDER BY e.effect_id DESC LIMIT batch) AS n;
    END IF;
    INSERT INTO sendpromptly.terms (project_id, term, effect_id)
    SELECT DISTINCT e.project_id, lower(t.term), e.effect_id FROM sendpromptly.effects AS e,
      LATERAL unnest(ARRAY[e.subject, e.customer] || string_to_array(e.objects, chr(31))) AS t(term)
    WHERE e.project_id = v_cursor.project_id AND e.effect_id = ANY (v_ids) AND t.term <> ''
    ON CONFLICT DO NOTHING;
    IF v_cursor.mark_xid IS NULL OR v_cursor.mark_xid <= pg_snapshot_xmin(pg_current_snapshot()) AND coalesce(cardinality(v_ids), 0) < batch THEN
      v_now := sendpromptly.clock();
      UPDATE sendpromptly.term_cursors AS c SET mark_at = v_now, mark_xid = pg_snapshot_xmax(pg_current_snapshot())
      WHERE c.project_id = v_cursor.project_id AND EXISTS (SELECT 1 FROM sendpromptly.effects AS e
        WHERE e.project_id = v_cursor.project_id AND e.effect_id > c.effect_id);
    END IF;
  END LOOP;
END
$$;
-- +goose StatementEnd

-- Whether any of an engine's steps has something to do, in one round trip: this
-- is all that an idle engine asks. The first six answers are work_waiting's;
-- unsealed and unfolded look behind the cursors of the steps that follow the
-- change feed and the receipts.
-- +goose StatementBegin
CREATE FUNCTION sendpromptly.look(since timestamptz DEFAULT NULL, OUT started timestamptz, OUT failures boolean, OUT attempts boolean,
    OUT deadlines boolean, OUT callbacks boolean, OUT entries bigint, OUT unsealed boolean, OUT unfolded boolean)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_bitmapscan = off
  SET enable_sort = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
  v_settled xid8 := pg_snapshot_xmin(pg_current_snapshot());
BEGIN
  SELECT w.started, w.failures, w.attempts, w.deadlines, w.callbacks, w.entries
  INTO started, failures, attempts, deadlines, callbacks, entries FROM sendpromptly.work_waiting(since) AS w;
  unsealed := EXISTS (SELECT 1 FROM sendpromptly.seal_cursor AS s, LATERAL (
    SELECT 1 FROM sendpromptly.changes AS c WHERE (c.xid, c.seq) > (s.xid, s.seq) AND c.xid < v_settled ORDER BY c.xid, c.seq LIMIT 1) AS one);
  unfolded := EXISTS (SELECT 1 FROM sendpromptly.statistics_cursor AS s, LATERAL (
      SELECT 1 FROM sendpromptly.changes AS c WHERE (c.xid, c.seq) > (s.xid, s.seq) AND c.xid < v_settled ORDER BY c.xid, c.seq LIMIT 1) AS one)
    OR EXISTS (SELECT 1 FROM sendpromptly.projects AS p LEFT JOIN sendpromptly.term_cursors AS t ON t.project_id = p.project_id, LATERAL (
      SELECT 1 FROM sendpromptly.effects AS e WHERE e.project_id = p.project_id
        AND e.effect_id > coalesce(t.effect_id, '00000000-0000-0000-0000-000000000000') ORDER BY e.effect_id LIMIT 1) AS one);
END
$$;
-- +goose StatementEnd

-- Deletes what has had its time: snapshots, answered nonces, changes older than
-- a week, secrets retired for a week, engines not seen for a day, alerts and plans of
-- long ago. At most batch rows of each.
-- +goose StatementBegin
CREATE FUNCTION sendpromptly.purge(batch integer, OUT taken integer)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET jit = off AS $$
DECLARE
  v_now timestamptz := sendpromptly.clock();
  v_rows integer;
BEGIN
  DELETE FROM sendpromptly.snapshots WHERE ctid = ANY (ARRAY(
    SELECT s.ctid FROM sendpromptly.snapshots AS s WHERE s.purge_at <= v_now ORDER BY s.purge_at LIMIT batch FOR UPDATE SKIP LOCKED));
  GET DIAGNOSTICS taken = ROW_COUNT;
  DELETE FROM sendpromptly.nonces WHERE ctid = ANY (ARRAY(
    SELECT n.ctid FROM sendpromptly.nonces AS n WHERE n.expires_at <= v_now ORDER BY n.expires_at LIMIT batch FOR UPDATE SKIP LOCKED));
  GET DIAGNOSTICS v_rows = ROW_COUNT;
  taken := taken + v_rows;
  DELETE FROM sendpromptly.changes WHERE ctid = ANY (ARRAY(
    SELECT c.ctid FROM (SELECT o.ctid, o.at FROM sendpromptly.changes AS o ORDER BY o.xid, o.seq LIMIT batch) AS c
    WHERE c.at < v_now - interval '7 days'));
  GET DIAGNOSTICS v_rows = ROW_COUNT;
  taken := taken + v_rows;
  DELETE FROM sendpromptly.idempotency WHERE ctid = ANY (ARRAY(
    SELECT i.ctid FROM sendpromptly.idempotency AS i WHERE i.expires_at <= v_now ORDER BY i.expires_at LIMIT batch FOR UPDATE SKIP LOCKED));
  GET DIAGNOSTICS v_rows = ROW_COUNT;
  taken := taken + v_rows;
  DELETE FROM sendpromptly.deferred_failures AS d WHERE d.not_before < v_now - interval '1 day' -- of effects that left while they were reported
    AND NOT EXISTS (SELECT 1 FROM sendpromptly.effects AS e WHERE e.project_id = d.project_id AND e.effect_id = d.effect_id);
  taken := taken + sendpromptly.purge_alerts(batch) + sendpromptly.purge_plans(batch);
  DELETE FROM sendpromptly.callback_secrets AS s WHERE s.retires_at < v_now - interval '7 days';
  DELETE FROM sendpromptly.engines AS e WHERE e.seen_at < v_now - interval '1 day';
END
$$;
-- +goose StatementEnd

REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA sendpromptly FROM PUBLIC;
INSERT INTO sendpromptly.migrations (version, name) VALUES (10, 'upkeep');
