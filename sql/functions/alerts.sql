-- Alerts: who is notified of incidents, and what was sent.
--
-- open_incidents writes a row into outbox. The row is due when the incident has had its time to resolve. gather_alerts turns
-- due rows into one message per project and one delivery per destination. claim_alerts leases deliveries to one server, and
-- complete_alert records the result. If a server dies in between, nothing is lost: its lease runs out and the delivery is
-- sent again under the same id, so that a receiver can recognise it as a repetition.

-- Takes outbox rows that are due. It drops the rows of incidents that were resolved or closed since then, and of projects
-- without a destination. New rows join a message that nobody has begun to send, so that a storm larger than the batch is
-- still one message. One server gathers or claims at a time; the others get nothing and try again later.
--
-- In this function and the next ones every incident is looked up by its own key: LIMIT and OFFSET 0 keep a planner without
-- statistics, which is what a storm finds, from joining whole tables.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.gather_alerts(batch integer, OUT taken integer)
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
  IF NOT sendpromptly.take_turn('alerts') THEN
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
      WHERE o.project_id = u.project_id AND o.incident_id = u.incident_id AND sendpromptly.is_open(o.state) LIMIT 1) AS i
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
      WHERE o.project_id = u.project_id AND o.incident_id = u.incident_id AND sendpromptly.is_open(o.state) LIMIT 1) AS i
    WHERE u.project_id = v_project
    ON CONFLICT DO NOTHING;
  END LOOP;
END
$$;
-- +goose StatementEnd

-- Leases deliveries for a minute: the oldest one of each destination that has none under way, so that a destination that
-- hangs delays only itself. A message whose incidents are all settled is dropped instead.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.claim_alerts(batch integer)
  RETURNS TABLE (project_id integer, alert_id uuid, channel text, try integer, token uuid)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
  v_now timestamptz := sendpromptly.clock();
  v_row sendpromptly.alerts;
BEGIN
  IF NOT sendpromptly.take_turn('alerts') THEN
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
    -- An incident that was settled before anybody was notified needs no notification.
    DELETE FROM sendpromptly.alert_incidents AS m
    WHERE m.project_id = v_row.project_id AND m.alert_id = v_row.alert_id
      AND NOT EXISTS (SELECT 1 FROM sendpromptly.incidents AS i
        WHERE i.project_id = m.project_id AND i.incident_id = m.incident_id AND sendpromptly.is_open(i.state) OFFSET 0)
      AND NOT EXISTS (SELECT 1 FROM sendpromptly.alerts AS s
        WHERE s.project_id = v_row.project_id AND s.alert_id = v_row.alert_id AND s.channel <> v_row.channel AND s.state IN ('leased', 'sent'));
    IF NOT EXISTS (SELECT 1 FROM sendpromptly.alert_incidents AS m
        WHERE m.project_id = v_row.project_id AND m.alert_id = v_row.alert_id AND EXISTS (SELECT 1 FROM sendpromptly.incidents AS i
          WHERE i.project_id = m.project_id AND i.incident_id = m.incident_id AND sendpromptly.is_open(i.state) OFFSET 0))
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

-- Records the result of a delivery. If its lease has run out, the result is discarded. error is null if the destination took
-- the message: the first destination that did leaves an entry on each incident's timeline. retry_in is null if the delivery
-- is given up. dropped means that there was nothing left to send.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.complete_alert(project_id integer, alert_id uuid, channel text, token uuid, error text, retry_in interval, dropped boolean,
    OUT done boolean)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
  v_now timestamptz := sendpromptly.clock();
BEGIN
  -- One completion per message at a time: only the first one that was sent writes the entries.
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
