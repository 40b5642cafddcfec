-- +goose Up
-- Alerts: who is told about incidents, and what was sent.
--
-- open_incidents writes a row into outbox, due when the incident has had its
-- time to resolve. gather_alerts turns the rows that are due into one message a
-- project and one delivery a destination; claim_alerts leases deliveries to one
-- server; complete_alert records what came of it. A server that dies in between
-- loses nothing: its lease runs out and the delivery is sent again, under the
-- same id, so that a receiver can tell that from a second message.

-- Where a project's alerts go. target is an address or URL, and may be a secret
-- itself; secret signs webhooks. sealed = both are encrypted with the
-- deployment's secret key. shown is what a listing may show of the target.
CREATE TABLE sendpromptly.alert_destinations (
  project_id integer NOT NULL,
  channel    text NOT NULL CHECK (channel IN ('email', 'slack', 'webhook')),
  target     bytea NOT NULL,
  secret     bytea,
  sealed     boolean NOT NULL,
  shown      text NOT NULL,
  PRIMARY KEY (project_id, channel)
);

-- The delivery of one message to one destination. next_at is when it may be
-- claimed: the next try while waiting, the end of the lease while leased.
CREATE TABLE sendpromptly.alerts (
  project_id  integer NOT NULL,
  alert_id    uuid NOT NULL,
  channel     text NOT NULL,
  made_at     timestamptz NOT NULL,
  next_at     timestamptz NOT NULL,
  state       text NOT NULL CHECK (state IN ('waiting', 'leased', 'sent', 'dropped', 'gave_up')),
  try         integer NOT NULL DEFAULT 0,
  lease_token uuid,
  error       text,
  PRIMARY KEY (project_id, alert_id, channel)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);

CREATE INDEX alerts_live ON sendpromptly.alerts (next_at) WHERE state IN ('waiting', 'leased');
CREATE INDEX alerts_age ON sendpromptly.alerts (made_at);

-- The incidents that a message is about.
CREATE TABLE sendpromptly.alert_incidents (
  project_id  integer NOT NULL,
  alert_id    uuid NOT NULL,
  incident_id uuid NOT NULL,
  PRIMARY KEY (project_id, alert_id, incident_id)
) WITH (fillfactor = 100, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);

-- Takes outbox rows that are due. Those of incidents that resolved or were
-- closed meanwhile are dropped, and so are those of projects without a
-- destination. Rows of a message that nobody has begun to send join it, so that
-- a storm larger than the batch is still one message. One server gathers or
-- claims at a time; the others find nothing and come back.
--
-- Here and below every incident is looked up by its own key: LIMIT and OFFSET 0
-- keep a planner without statistics, as a storm finds it, from joining all with all.
-- +goose StatementBegin
CREATE FUNCTION sendpromptly.gather_alerts(batch integer, OUT taken integer)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
  v_now timestamptz := sendpromptly.clock();
  v_projects integer[];
  v_incidents uuid[];
  v_project integer;
  v_alert uuid;
BEGIN
  taken := 0;
  IF NOT pg_try_advisory_xact_lock(hashtextextended('sendpromptly alerts', 0)) THEN
    RETURN;
  END IF;
  WITH due AS (
    SELECT o.due_at, o.project_id, o.incident_id FROM sendpromptly.outbox AS o
    WHERE o.due_at <= v_now ORDER BY o.due_at, o.project_id, o.incident_id LIMIT batch FOR UPDATE SKIP LOCKED
  ), gone AS (
    DELETE FROM sendpromptly.outbox AS o USING due AS d
    WHERE o.due_at = d.due_at AND o.project_id = d.project_id AND o.incident_id = d.incident_id
    RETURNING o.project_id, o.incident_id
  )
  SELECT count(*), array_agg(g.project_id), array_agg(g.incident_id) INTO taken, v_projects, v_incidents FROM gone AS g;
  FOR v_project IN
    SELECT DISTINCT u.project_id FROM unnest(v_projects, v_incidents) AS u(project_id, incident_id)
    CROSS JOIN LATERAL (SELECT o.incident_id FROM sendpromptly.incidents AS o
      WHERE o.project_id = u.project_id AND o.incident_id = u.incident_id AND o.state IN ('failed', 'missing', 'reprocessing') LIMIT 1) AS i
    WHERE EXISTS (SELECT 1 FROM sendpromptly.alert_destinations AS d WHERE d.project_id = u.project_id)
    ORDER BY u.project_id
  LOOP
    SELECT a.alert_id INTO v_alert FROM sendpromptly.alerts AS a
    WHERE a.state = 'waiting' AND a.try = 0 AND a.project_id = v_project FOR UPDATE SKIP LOCKED LIMIT 1;
    IF NOT FOUND OR EXISTS (SELECT 1 FROM sendpromptly.alerts AS a
        WHERE a.project_id = v_project AND a.alert_id = v_alert AND (a.state <> 'waiting' OR a.try > 0)) THEN
      v_alert := sendpromptly.uuid7(v_now);
      INSERT INTO sendpromptly.alerts (project_id, alert_id, channel, made_at, next_at, state)
      SELECT v_project, v_alert, d.channel, v_now, v_now, 'waiting' FROM sendpromptly.alert_destinations AS d WHERE d.project_id = v_project;
    END IF;
    INSERT INTO sendpromptly.alert_incidents (project_id, alert_id, incident_id)
    SELECT v_project, v_alert, i.incident_id FROM unnest(v_projects, v_incidents) AS u(project_id, incident_id)
    CROSS JOIN LATERAL (SELECT o.incident_id FROM sendpromptly.incidents AS o
      WHERE o.project_id = u.project_id AND o.incident_id = u.incident_id AND o.state IN ('failed', 'missing', 'reprocessing') LIMIT 1) AS i
    WHERE u.project_id = v_project
    ON CONFLICT DO NOTHING;
  END LOOP;
END
$$;
-- +goose StatementEnd

-- Leases deliveries for a minute: the oldest of each destination that has none
-- under way, so that one destination that hangs holds up nobody but itself. A
-- message whose incidents are all settled by now is dropped instead.
-- +goose StatementBegin
CREATE FUNCTION sendpromptly.claim_alerts(batch integer)
  RETURNS TABLE (project_id integer, alert_id uuid, channel text, try integer, token uuid)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
  v_now timestamptz := sendpromptly.clock();
  v_row sendpromptly.alerts;
BEGIN
  IF NOT pg_try_advisory_xact_lock(hashtextextended('sendpromptly alerts', 0)) THEN
    RETURN;
  END IF;
  FOR v_row IN
    SELECT a.* FROM sendpromptly.alerts AS a
    JOIN (SELECT DISTINCT ON (d.project_id, d.channel) d.project_id, d.alert_id, d.channel FROM sendpromptly.alerts AS d
      WHERE d.state IN ('waiting', 'leased') AND d.next_at <= v_now AND NOT EXISTS (SELECT 1 FROM sendpromptly.alerts AS u
        WHERE u.state = 'leased' AND u.next_at > v_now AND u.project_id = d.project_id AND u.channel = d.channel)
      ORDER BY d.project_id, d.channel, d.next_at, d.alert_id) AS f USING (project_id, alert_id, channel)
    WHERE a.state IN ('waiting', 'leased') AND a.next_at <= v_now
    ORDER BY a.next_at LIMIT batch FOR UPDATE OF a SKIP LOCKED
  LOOP
    -- What nobody has been told yet and is settled by now needs no telling.
    DELETE FROM sendpromptly.alert_incidents AS m
    WHERE m.project_id = v_row.project_id AND m.alert_id = v_row.alert_id
      AND NOT EXISTS (SELECT 1 FROM sendpromptly.incidents AS i
        WHERE i.project_id = m.project_id AND i.incident_id = m.incident_id AND i.state IN ('failed', 'missing', 'reprocessing') OFFSET 0)
      AND NOT EXISTS (SELECT 1 FROM sendpromptly.alerts AS s
        WHERE s.project_id = v_row.project_id AND s.alert_id = v_row.alert_id AND s.channel <> v_row.channel AND s.state IN ('leased', 'sent'));
    IF NOT EXISTS (SELECT 1 FROM sendpromptly.alert_incidents AS m
        WHERE m.project_id = v_row.project_id AND m.alert_id = v_row.alert_id AND EXISTS (SELECT 1 FROM sendpromptly.incidents AS i
          WHERE i.project_id = m.project_id AND i.incident_id = m.incident_id AND i.state IN ('failed', 'missing', 'reprocessing') OFFSET 0))
      OR NOT EXISTS (SELECT 1 FROM sendpromptly.alert_destinations AS d WHERE d.project_id = v_row.project_id AND d.channel = v_row.channel) THEN
      UPDATE sendpromptly.alerts AS a SET state = 'dropped', lease_token = NULL
      WHERE a.project_id = v_row.project_id AND a.alert_id = v_row.alert_id AND a.channel = v_row.channel;
      CONTINUE;
    END IF;
    project_id := v_row.project_id;
    alert_id := v_row.alert_id;
    channel := v_row.channel;
    try := v_row.try + 1;
    token := gen_random_uuid();
    UPDATE sendpromptly.alerts AS a SET state = 'leased', try = claim_alerts.try, lease_token = claim_alerts.token, next_at = v_now + interval '60 seconds'
    WHERE a.project_id = v_row.project_id AND a.alert_id = v_row.alert_id AND a.channel = v_row.channel;
    RETURN NEXT;
  END LOOP;
END
$$;
-- +goose StatementEnd

-- Records what came of a delivery; one whose lease ran out meanwhile is
-- discarded. error is null where the destination took the message: the first
-- that did leaves an entry on each incident's timeline. retry_in is null when it
-- is given up. dropped says that there was nothing to send any more.
-- +goose StatementBegin
CREATE FUNCTION sendpromptly.complete_alert(project_id integer, alert_id uuid, channel text, token uuid, error text, retry_in interval, dropped boolean,
    OUT done boolean)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
  v_now timestamptz := sendpromptly.clock();
BEGIN
  -- One of the message's completions at a time: only the first that was sent tells.
  PERFORM 1 FROM sendpromptly.alerts AS a
  WHERE a.project_id = complete_alert.project_id AND a.alert_id = complete_alert.alert_id ORDER BY a.channel FOR UPDATE;
  UPDATE sendpromptly.alerts AS a SET lease_token = NULL, error = left(complete_alert.error, 2000),
    state = CASE WHEN dropped THEN 'dropped' WHEN complete_alert.error IS NULL THEN 'sent' WHEN retry_in IS NULL THEN 'gave_up' ELSE 'waiting' END,
    next_at = v_now + coalesce(retry_in, interval '0')
  WHERE a.project_id = complete_alert.project_id AND a.alert_id = complete_alert.alert_id AND a.channel = complete_alert.channel
    AND a.lease_token = token;
  done := FOUND;
  IF NOT done OR dropped OR error IS NOT NULL OR EXISTS (SELECT 1 FROM sendpromptly.alerts AS s
      WHERE s.project_id = complete_alert.project_id AND s.alert_id = complete_alert.alert_id
        AND s.channel <> complete_alert.channel AND s.state = 'sent') THEN
    RETURN;
  END IF;
  WITH told AS (
    INSERT INTO sendpromptly.entries (effect_id, at, project_id, kind, note)
    SELECT i.effect_id, v_now, m.project_id, 'alert', 'by ' || complete_alert.channel FROM sendpromptly.alert_incidents AS m
    CROSS JOIN LATERAL (SELECT o.effect_id FROM sendpromptly.incidents AS o
      WHERE o.project_id = m.project_id AND o.incident_id = m.incident_id LIMIT 1) AS i
    WHERE m.project_id = complete_alert.project_id AND m.alert_id = complete_alert.alert_id
  )
  INSERT INTO sendpromptly.changes (subject_id, at, project_id, kind, what)
  SELECT m.incident_id, v_now, m.project_id, 'incident', 'alerted' FROM sendpromptly.alert_incidents AS m
  CROSS JOIN LATERAL (SELECT o.effect_id FROM sendpromptly.incidents AS o
    WHERE o.project_id = m.project_id AND o.incident_id = m.incident_id LIMIT 1) AS i
  WHERE m.project_id = complete_alert.project_id AND m.alert_id = complete_alert.alert_id;
END
$$;
-- +goose StatementEnd

-- Deletes messages a month after they were made: nothing is tried for longer
-- than a day. Outbox rows of projects that alert nobody go a week after they were
-- due, because only a server that sends alerts would take them, and an app that
-- embeds the engine may run none.
-- +goose StatementBegin
CREATE FUNCTION sendpromptly.purge_alerts(batch integer, OUT taken integer)
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

REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA sendpromptly FROM PUBLIC;
INSERT INTO sendpromptly.migrations (version, name) VALUES (15, 'alerts');
