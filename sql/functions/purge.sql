-- Rows that have expired.

-- Deletes rows that have expired: snapshots, answered nonces, changes older than a week, secrets retired for a week, engines
-- not seen for a day, old alerts and plans. At most batch rows of each.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.purge(batch integer, OUT taken integer)
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
  DELETE FROM sendpromptly.deferred_failures AS d WHERE d.not_before < v_now - interval '1 day' -- of effects that were removed while the failure was reported
    AND NOT EXISTS (SELECT 1 FROM sendpromptly.effects AS e WHERE e.project_id = d.project_id AND e.effect_id = d.effect_id);
  taken := taken + sendpromptly.purge_alerts(batch) + sendpromptly.purge_plans(batch);
  DELETE FROM sendpromptly.callback_secrets AS s WHERE s.retires_at < v_now - interval '7 days';
  DELETE FROM sendpromptly.engines AS e WHERE e.seen_at < v_now - interval '1 day';
END
$$;
-- +goose StatementEnd

-- Deletes messages a month after they were made: no delivery is retried for longer than a day. Outbox rows of projects
-- without a destination go a week after they were due, because only a server that sends alerts would take them, and an app
-- that embeds the engine may run none.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.purge_alerts(batch integer, OUT taken integer)
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
  v_now timestamptz := sendpromptly.clock();
  v_rows integer;
BEGIN
  WITH old AS (
    DELETE FROM sendpromptly.alerts WHERE ctid = ANY (ARRAY(
      SELECT a.ctid FROM sendpromptly.alerts AS a WHERE a.made_at < v_now - interval '30 days' ORDER BY a.made_at LIMIT batch FOR UPDATE SKIP LOCKED))
    RETURNING project_id, alert_id
  ), gone AS (
    DELETE FROM sendpromptly.alert_incidents AS m USING old AS o WHERE m.project_id = o.project_id AND m.alert_id = o.alert_id
  )
  SELECT count(*) INTO taken FROM old;
  DELETE FROM sendpromptly.outbox WHERE ctid = ANY (ARRAY(
    SELECT o.ctid FROM sendpromptly.outbox AS o WHERE o.due_at < v_now - interval '7 days'
      AND NOT EXISTS (SELECT 1 FROM sendpromptly.alert_destinations AS d WHERE d.project_id = o.project_id)
    ORDER BY o.due_at LIMIT batch FOR UPDATE SKIP LOCKED));
  GET DIAGNOSTICS v_rows = ROW_COUNT;
  taken := taken + v_rows;
END
$$;
-- +goose StatementEnd

-- Deletes plans 90 days after they ended, or after they were made if they never started: the timelines and the audit log
-- record what they did. At most batch of their incidents per call.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.purge_plans(batch integer, OUT taken integer)
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
-- +goose StatementEnd
