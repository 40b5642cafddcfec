-- What an idle engine reads.

-- What is waiting, in one round trip, so that an idle engine sends one query. started is read before the tables: if no
-- deadline waits, this was a complete pass over them. since is where the check of the deadlines begins, null for the first:
-- a caller that knows that nothing older waits need not read what an old transaction keeps of rows long deleted. entries is
-- how many index entries that check read, which is what makes it expensive, whatever else the machine does. callbacks are
-- the rows that reprocess (actions.sql) wrote and claim_callbacks (callbacks.sql) takes.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.work_waiting(since timestamptz DEFAULT NULL, OUT started timestamptz, OUT failures boolean, OUT attempts boolean,
    OUT deadlines boolean, OUT callbacks boolean, OUT entries bigint)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
DECLARE
  v_now timestamptz := sendpromptly.clock();
  v_since timestamptz := coalesce(since, '-infinity');
  v_index CONSTANT oid := 'sendpromptly.owed_pkey'::regclass;
BEGIN
  started := v_now;
  failures := EXISTS (SELECT 1 FROM sendpromptly.deferred_failures AS d WHERE d.not_before <= v_now);
  attempts := EXISTS (SELECT 1 FROM sendpromptly.incidents AS i WHERE i.due_at <= v_now);
  entries := -pg_stat_get_xact_tuples_returned(v_index);
  deadlines := EXISTS (SELECT 1 FROM sendpromptly.owed AS o
    WHERE o.deadline BETWEEN v_since AND v_now AND (o.hold_until IS NULL OR o.hold_until <= v_now));
  entries := entries + pg_stat_get_xact_tuples_returned(v_index);
  callbacks := EXISTS (SELECT 1 FROM sendpromptly.projects AS p, LATERAL (
    SELECT 1 FROM sendpromptly.callbacks AS c
    WHERE c.project_id = p.project_id AND c.state IN ('waiting', 'leased') AND c.next_at <= v_now LIMIT 1) AS due);
END
$$;
-- +goose StatementEnd

-- Whether any of an engine's steps has something to do, in one round trip: this is the only query of an idle engine. The
-- first six answers are work_waiting's. unsealed and unfolded check behind the cursors of the steps that follow the change
-- feed and the receipts.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.look(since timestamptz DEFAULT NULL, OUT started timestamptz, OUT failures boolean, OUT attempts boolean,
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
