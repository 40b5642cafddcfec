-- Retention: effects that were settled long ago are removed with all their rows, the oldest first, in short transactions
-- that wait for nothing.
--
-- An effect is settled if it was applied, or if its incident was closed, and if nothing has happened since then: neither a
-- signal nor a duplicate of its receipt. An effect for which a proof was issued is never removed. An effect is never removed
-- sooner than after 35 days, because providers list and redeliver events for 30: a duplicate that may still come is still
-- recognised.

-- One step without an archive: it checks up to batch effects after a place, removes those that may leave (or only counts
-- them), and returns where the next step continues and how long it held its locks. It works in small groups and ends after
-- the group in which the budget ran out: no batch is too large.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.retain(project text, settled_before timestamptz, after uuid, batch integer, dry_run boolean DEFAULT false,
    budget interval DEFAULT '30 milliseconds', OUT taken integer, OUT gone integer, OUT last uuid, OUT held interval)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
  v_project integer := (SELECT p.project_id FROM sendpromptly.projects AS p WHERE p.name = project);
  v_bound timestamptz := sendpromptly.retention_bound(settled_before);
  v_started timestamptz := sendpromptly.clock();
  v_page uuid[];
BEGIN
  taken := 0;
  gone := 0;
  last := after;
  LOOP
    v_page := sendpromptly.retention_page(v_project, v_bound, last, least(batch - taken, 20));
    EXIT WHEN cardinality(v_page) = 0;
    taken := taken + cardinality(v_page);
    last := v_page[cardinality(v_page)];
    IF dry_run THEN
      gone := gone + cardinality(sendpromptly.settled_before(v_project, v_page, v_bound));
    ELSE
      gone := gone + cardinality(sendpromptly.forget_group(v_project, v_page, v_bound));
    END IF;
    held := sendpromptly.clock() - v_started;
    EXIT WHEN taken >= batch OR held >= budget;
  END LOOP;
  held := sendpromptly.clock() - v_started;
END
$$;
-- +goose StatementEnd

-- The bound before which an effect must have been settled to leave: 35 days ago at the latest, in hours, because a day does
-- not have the same length in every time zone. The check after the locks needs a new snapshot, so a stricter isolation than
-- READ COMMITTED is refused.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.retention_bound(settled_before timestamptz) RETURNS timestamptz
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF settled_before IS NULL OR settled_before > sendpromptly.clock() - interval '840 hours' THEN
    RAISE EXCEPTION USING ERRCODE = 'SP004', MESSAGE = 'sendpromptly.retain: argument settled_before: want a time at least 35 days ago',
      HINT = 'providers redeliver events for 30 days, and the engine must still recognise these duplicates';
  END IF;
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION USING ERRCODE = 'SP005', MESSAGE = 'sendpromptly.retain: the transaction must be READ COMMITTED';
  END IF;
  RETURN settled_before;
END
$$;
-- +goose StatementEnd

-- One page of a project's effects in the order of their ids, which is that of their receipts. An effect that was accepted
-- after the bound cannot have been settled before it.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.retention_page(project_id integer, bound timestamptz, after uuid, batch integer) RETURNS uuid[]
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off SET jit = off AS $$
  SELECT coalesce(array_agg(p.effect_id), '{}') FROM (
    SELECT e.effect_id FROM sendpromptly.effects AS e
    WHERE e.project_id = retention_page.project_id AND e.effect_id > retention_page.after
      AND e.effect_id < sendpromptly.uuid7_floor(retention_page.bound)
    ORDER BY e.effect_id LIMIT retention_page.batch) AS p
$$;
-- +goose StatementEnd

-- Which of these effects were settled before the bound. Every lookup reads one key: LIMIT and OFFSET 0 keep the planner from
-- joining whole tables instead.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.settled_before(project_id integer, effect_ids uuid[], bound timestamptz) RETURNS uuid[]
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
  -- Few failures wait for a lock; they are read once.
  v_deferred uuid[] := ARRAY(SELECT d.effect_id FROM sendpromptly.deferred_failures AS d WHERE d.project_id = settled_before.project_id);
BEGIN
  RETURN (SELECT coalesce(array_agg(u.id), '{}') FROM unnest(effect_ids) AS u(id)
    CROSS JOIN LATERAL (SELECT f.deadline, f.succeeded_at FROM sendpromptly.effects AS f
      WHERE f.project_id = settled_before.project_id AND f.effect_id = u.id
      ORDER BY f.project_id, f.effect_id LIMIT 1) AS e
    LEFT JOIN LATERAL (SELECT o.state, greatest(o.opened_at, o.resolved_at, o.closed_at) AS at FROM sendpromptly.incidents AS o
      WHERE o.project_id = settled_before.project_id AND o.effect_id = u.id
      ORDER BY o.project_id, o.effect_id LIMIT 1) AS i ON true
    WHERE CASE WHEN i.state IS NULL THEN e.succeeded_at < bound ELSE i.state IN ('applied', 'closed') AND i.at < bound END
      AND u.id <> ALL (v_deferred)
      AND NOT sendpromptly.proof_bearing(settled_before.project_id, u.id)
      AND NOT EXISTS (SELECT 1 FROM sendpromptly.owed AS o WHERE o.deadline = e.deadline
        AND o.project_id = settled_before.project_id AND o.effect_id = u.id OFFSET 0)
      AND NOT EXISTS (SELECT 1 FROM sendpromptly.entries AS n WHERE n.project_id = settled_before.project_id
        AND n.effect_id = u.id AND n.at >= bound OFFSET 0));
END
$$;
-- +goose StatementEnd

-- Removes those of these effects that were settled before the bound, and returns them. It does not wait for an effect that
-- is locked: that one stays. The lock order is the usual one, effects before incidents, and the check uses a new snapshot
-- after the locks.
--
-- Every row is looked up by its own key and then removed by its physical place: given the list of keys at once, a planner
-- without statistics reads the whole project. Changes are deleted within a week anyway (see purge).
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.forget(project_id integer, effect_ids uuid[], bound timestamptz) RETURNS uuid[]
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
  v_mine uuid[];
  v_locked uuid[];
  v_incidents uuid[];
  v_replays uuid[];
  v_first timestamptz;
BEGIN
  v_mine := ARRAY(SELECT x.effect_id FROM unnest(effect_ids) AS u(id) CROSS JOIN LATERAL (
    SELECT r.effect_id FROM sendpromptly.effects AS r WHERE r.project_id = forget.project_id AND r.effect_id = u.id
    ORDER BY r.project_id, r.effect_id LIMIT 1 FOR UPDATE SKIP LOCKED) AS x);
  v_locked := ARRAY(SELECT x.effect_id FROM unnest(v_mine) AS u(id) CROSS JOIN LATERAL (
    SELECT r.effect_id FROM sendpromptly.incidents AS r WHERE r.project_id = forget.project_id AND r.effect_id = u.id
    ORDER BY r.project_id, r.effect_id LIMIT 1 FOR UPDATE SKIP LOCKED) AS x);
  SELECT coalesce(array_agg(u.id), '{}'), coalesce(array_agg(x.incident_id) FILTER (WHERE x.incident_id IS NOT NULL), '{}'), min(x.opened_at)
  INTO v_mine, v_incidents, v_first
  FROM unnest(sendpromptly.settled_before(project_id, v_mine, bound)) AS u(id) LEFT JOIN LATERAL (
    SELECT r.incident_id, r.opened_at FROM sendpromptly.incidents AS r WHERE r.project_id = forget.project_id AND r.effect_id = u.id
    ORDER BY r.project_id, r.effect_id LIMIT 1) AS x ON true
  WHERE x.incident_id IS NULL OR u.id = ANY (v_locked);
  IF cardinality(v_mine) = 0 THEN
    RETURN v_mine;
  END IF;
  DELETE FROM sendpromptly.terms WHERE ctid = ANY (ARRAY(SELECT x.place FROM unnest(v_mine) AS u(id) CROSS JOIN LATERAL (
      SELECT DISTINCT lower(w.term) AS term FROM (SELECT r.subject, r.customer, r.source_event, r.objects FROM sendpromptly.effects AS r
        WHERE r.project_id = forget.project_id AND r.effect_id = u.id ORDER BY r.project_id, r.effect_id LIMIT 1) AS e,
        LATERAL unnest(ARRAY[e.subject, e.customer, e.source_event] || string_to_array(e.objects, chr(31))) AS w(term)) AS d
    CROSS JOIN LATERAL (SELECT r.ctid AS place FROM sendpromptly.terms AS r
      WHERE r.project_id = forget.project_id AND r.term = d.term AND r.effect_id = u.id OFFSET 0) AS x));
  IF cardinality(v_incidents) > 0 THEN
    v_replays := ARRAY(SELECT x.replay_id FROM unnest(v_incidents) AS u(id) CROSS JOIN LATERAL (
      SELECT r.replay_id FROM sendpromptly.attempts AS r WHERE r.project_id = forget.project_id AND r.incident_id = u.id OFFSET 0) AS x);
    DELETE FROM sendpromptly.attempts WHERE ctid = ANY (ARRAY(SELECT x.place FROM unnest(v_replays) AS u(id) CROSS JOIN LATERAL (
      SELECT r.ctid AS place FROM sendpromptly.attempts AS r WHERE r.project_id = forget.project_id AND r.replay_id = u.id OFFSET 0) AS x));
    DELETE FROM sendpromptly.callbacks WHERE ctid = ANY (ARRAY(SELECT x.place FROM unnest(v_replays) AS u(id) CROSS JOIN LATERAL (
      SELECT r.ctid AS place FROM sendpromptly.callbacks AS r WHERE r.project_id = forget.project_id AND r.replay_id = u.id OFFSET 0) AS x));
    DELETE FROM sendpromptly.nonces WHERE ctid = ANY (ARRAY(SELECT x.place FROM unnest(v_replays) AS u(id) CROSS JOIN LATERAL (
      SELECT r.ctid AS place FROM sendpromptly.nonces AS r WHERE r.project_id = forget.project_id AND r.replay_id = u.id OFFSET 0) AS x));
    -- No setting delays an alert by more than a week.
    DELETE FROM sendpromptly.outbox AS o WHERE o.due_at BETWEEN v_first AND bound + interval '7 days'
      AND o.project_id = forget.project_id AND o.incident_id = ANY (v_incidents);
    DELETE FROM sendpromptly.incidents WHERE ctid = ANY (ARRAY(SELECT x.place FROM unnest(v_incidents) AS u(id) CROSS JOIN LATERAL (
      SELECT r.ctid AS place FROM sendpromptly.incidents AS r WHERE r.project_id = forget.project_id AND r.incident_id = u.id OFFSET 0) AS x));
  END IF;
  DELETE FROM sendpromptly.seals WHERE ctid = ANY (ARRAY(SELECT x.place FROM unnest(v_mine) AS u(id) CROSS JOIN LATERAL (
    SELECT r.ctid AS place FROM sendpromptly.seals AS r WHERE r.project_id = forget.project_id AND r.effect_id = u.id OFFSET 0) AS x));
  DELETE FROM sendpromptly.chains WHERE ctid = ANY (ARRAY(SELECT x.place FROM unnest(v_mine) AS u(id) CROSS JOIN LATERAL (
    SELECT r.ctid AS place FROM sendpromptly.chains AS r WHERE r.project_id = forget.project_id AND r.effect_id = u.id OFFSET 0) AS x));
  DELETE FROM sendpromptly.entries WHERE ctid = ANY (ARRAY(SELECT x.place FROM unnest(v_mine) AS u(id) CROSS JOIN LATERAL (
    SELECT r.ctid AS place FROM sendpromptly.entries AS r WHERE r.project_id = forget.project_id AND r.effect_id = u.id OFFSET 0) AS x));
  DELETE FROM sendpromptly.snapshots WHERE ctid = ANY (ARRAY(SELECT x.place FROM unnest(v_mine) AS u(id) CROSS JOIN LATERAL (
    SELECT r.ctid AS place FROM sendpromptly.snapshots AS r WHERE r.project_id = forget.project_id AND r.effect_id = u.id OFFSET 0) AS x));
  DELETE FROM sendpromptly.effects WHERE ctid = ANY (ARRAY(SELECT x.place FROM unnest(v_mine) AS u(id) CROSS JOIN LATERAL (
    SELECT r.ctid AS place FROM sendpromptly.effects AS r WHERE r.project_id = forget.project_id AND r.effect_id = u.id OFFSET 0) AS x));
  RETURN v_mine;
END
$$;
-- +goose StatementEnd

-- Removes a group. If it fails because of the data of a row, each effect is removed by itself, and one that fails stays: a
-- note says why. The note counts as something that happened to the effect, so it is retried one retention period later.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.forget_group(project_id integer, effect_ids uuid[], bound timestamptz) RETURNS uuid[]
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
  v_id uuid;
  v_gone uuid[] := '{}';
BEGIN
  BEGIN
    RETURN sendpromptly.forget(project_id, effect_ids, bound);
  EXCEPTION WHEN OTHERS THEN
    IF NOT sendpromptly.rows_fault(SQLSTATE) THEN
      RAISE;
    END IF;
  END;
  FOREACH v_id IN ARRAY effect_ids LOOP
    BEGIN
      v_gone := v_gone || sendpromptly.forget(project_id, ARRAY[v_id], bound);
    EXCEPTION WHEN OTHERS THEN
      IF NOT sendpromptly.rows_fault(SQLSTATE) THEN
        RAISE;
      END IF;
      INSERT INTO sendpromptly.entries (effect_id, at, project_id, kind, error_message, note)
      VALUES (v_id, sendpromptly.clock(), forget_group.project_id, 'note', left(SQLERRM, 2000), 'retention could not remove the effect');
    END;
  END LOOP;
  RETURN v_gone;
END
$$;
-- +goose StatementEnd
