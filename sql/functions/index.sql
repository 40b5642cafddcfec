-- The search terms, off the caller's path.

-- Adds new effects to the search terms, after the caller's commit.
--
-- Effects are read in the order of their ids, which begin with their time. A transaction that commits late could leave an
-- older id behind the cursor. So the cursor moves only up to a mark: a moment, and the first transaction id not yet assigned
-- after it. accept takes its transaction id before it reads the clock, so once every transaction below the mark's id has
-- ended, no effect older than the mark can appear. Until then the newest effects are added at once, and again later, which
-- changes nothing. taken counts only those that the cursor passed: a caller that repeats the step while it is full would
-- repeat the others without end.
--
-- Both reads walk the primary key and stop at the batch. Without statistics PostgreSQL 17 would rather read everything after
-- the cursor and sort it.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.index_terms(batch integer, OUT taken integer)
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
      LATERAL unnest(ARRAY[e.subject, e.customer, e.source_event] || string_to_array(e.objects, chr(31))) AS t(term)
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
