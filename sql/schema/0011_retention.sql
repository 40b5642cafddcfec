-- +goose Up
-- Retention: effects that were settled long ago leave with all their rows, the
-- oldest first, in short transactions that wait for nothing.
--
-- Settled is an effect that was applied, or whose incident was closed, and to
-- which nothing has happened since: neither a signal nor a duplicate of its
-- receipt. One that a proof was issued for stays for ever. Never sooner than 35 days, because providers list and redeliver
-- events for 30: a duplicate that still may come is still recognised.

-- retention null keeps everything. retained_at is when an engine last began.
ALTER TABLE sendpromptly.projects ADD COLUMN retention interval CHECK (retention >= '35 days');
ALTER TABLE sendpromptly.projects ADD COLUMN retained_at timestamptz;

-- The bound before which an effect must have been settled to leave: 35 days ago
-- at the latest, in hours, because a day is not as long in every time zone.
-- +goose StatementBegin
CREATE FUNCTION sendpromptly.retention_bound(settled_before timestamptz) RETURNS timestamptz
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF settled_before IS NULL OR settled_before > sendpromptly.clock() - interval '840 hours' THEN
    RAISE EXCEPTION USING ERRCODE = 'SP004', MESSAGE = 'sendpromptly.retain: argument settled_before: want 35 days ago at the latest',
      HINT = 'providers redeliver events for 30 days, and their duplicates must be recognised';
  END IF;
  RETURN settled_before;
END
$$;
-- +goose StatementEnd

-- One page of a project's effects in the order of their ids, which is that of
-- their receipts. What was accepted after the bound cannot have been settled before it.
CREATE FUNCTION sendpromptly.retention_page(project_id integer, bound timestamptz, after uuid, batch integer) RETURNS uuid[]
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off SET jit = off AS $$
  SELECT coalesce(array_agg(p.effect_id), '{}') FROM (
    SELECT e.effect_id FROM sendpromptly.effects AS e
    WHERE e.project_id = retention_page.project_id AND e.effect_id > retention_page.after
      AND e.effect_id < sendpromptly.uuid7_floor(retention_page.bound)
    ORDER BY e.effect_id LIMIT retention_page.batch) AS p
$$;

-- Which of these effects were settled before the bound. Every look goes to one
-- key: LIMIT keeps the planner from joining whole tables instead.
-- +goose StatementBegin
CREATE FUNCTION sendpromptly.settled_before(project_id integer, effect_ids uuid[], bound timestamptz) RETURNS uuid[]
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
  -- Failures that wait for a lock are few; they are read once.
  v_deferred uuid[] := ARRAY(SELECT d.effect_id FROM sendpromptly.deferred_failures AS d WHERE d.project_id = settled_before.project_id);
BEGIN
  RETURN (SELECT coalesce(array_agg(u.id), '{}') FROM unnest(effect_ids) AS u(id)
    CROSS JOIN LATERAL (SELECT f.deadline, f.succeeded_at FROM sendpromptly.effects AS f
      WHERE f.project_id = settled_before.project_id AND f.effect_id = u.id LIMIT 1) AS e
    LEFT JOIN LATERAL (SELECT o.state, greatest(o.opened_at, o.resolved_at, o.closed_at) AS at FROM sendpromptly.incidents AS o
      WHERE o.project_id = settled_before.project_id AND o.effect_id = u.id LIMIT 1) AS i ON true
    WHERE CASE WHEN i.state IS NULL THEN e.succeeded_at < bound ELSE i.state IN ('applied', 'closed') AND i.at < bound END
      AND u.id <> ALL (v_deferred)
      AND NOT sendpromptly.proof_bearing(settled_before.project_id, u.id)
      AND NOT EXISTS (SELECT 1 FROM sendpromptly.owed AS o WHERE o.deadline = e.deadline
        AND o.project_id = settled_before.project_id AND o.effect_id = u.id)
      AND NOT EXISTS (SELECT 1 FROM sendpromptly.entries AS n WHERE n.project_id = settled_before.project_id
        AND n.effect_id = u.id AND n.at >= bound));
END
$$;
-- +goose StatementEnd

-- Removes those of these effects that were settled before the bound, and
-- returns them. Whoever works on one of them is not waited for: it stays. The
-- lock order is the usual one, effects before incidents, and what is judged is
-- judged in a fresh snapshot after the locks.
--
-- Changes go by themselves within a week (see purge).
-- +goose StatementBegin
CREATE FUNCTION sendpromptly.forget(project_id integer, effect_ids uuid[], bound timestamptz) RETURNS uuid[]
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
  v_mine uuid[];
  v_held uuid[];
  v_incidents uuid[];
  v_replays uuid[];
  v_first timestamptz;
  v_last timestamptz;
BEGIN
  v_mine := ARRAY(SELECT e.effect_id FROM sendpromptly.effects AS e
    WHERE e.project_id = forget.project_id AND e.effect_id = ANY (effect_ids) ORDER BY e.effect_id FOR UPDATE SKIP LOCKED);
  v_incidents := ARRAY(SELECT i.incident_id FROM sendpromptly.incidents AS i
    WHERE i.project_id = forget.project_id AND i.effect_id = ANY (v_mine) FOR UPDATE SKIP LOCKED);
  SELECT coalesce(array_agg(i.effect_id), '{}') INTO v_held FROM sendpromptly.incidents AS i
  WHERE i.project_id = forget.project_id AND i.effect_id = ANY (v_mine) AND i.incident_id <> ALL (v_incidents);
  v_mine := sendpromptly.settled_before(project_id, ARRAY(SELECT u.id FROM unnest(v_mine) AS u(id) WHERE u.id <> ALL (v_held)), bound);
  IF cardinality(v_mine) = 0 THEN
    RETURN v_mine;
  END IF;
  SELECT coalesce(array_agg(i.incident_id), '{}'), min(i.opened_at), max(i.opened_at) INTO v_incidents, v_first, v_last
  FROM sendpromptly.incidents AS i WHERE i.project_id = forget.project_id AND i.effect_id = ANY (v_mine);
  DELETE FROM sendpromptly.terms AS t USING (
    SELECT DISTINCT lower(w.term) AS term, e.effect_id FROM sendpromptly.effects AS e,
      LATERAL unnest(ARRAY[e.subject, e.customer] || string_to_array(e.objects, chr(31))) AS w(term)
    WHERE e.project_id = forget.project_id AND e.effect_id = ANY (v_mine) AND w.term <> '') AS d
  WHERE t.project_id = forget.project_id AND t.term = d.term AND t.effect_id = d.effect_id;
  IF cardinality(v_incidents) > 0 THEN
    WITH gone AS (
      DELETE FROM sendpromptly.attempts AS a WHERE a.project_id = forget.project_id AND a.incident_id = ANY (v_incidents) RETURNING a.replay_id)
    SELECT coalesce(array_agg(g.replay_id), '{}') INTO v_replays FROM gone AS g;
    DELETE FROM sendpromptly.callbacks AS c WHERE c.project_id = forget.project_id AND c.replay_id = ANY (v_replays);
    DELETE FROM sendpromptly.nonces AS n WHERE n.project_id = forget.project_id AND n.replay_id = ANY (v_replays);
    -- No setting lets an alert wait longer than a week.
    DELETE FROM sendpromptly.outbox AS o WHERE o.due_at BETWEEN v_first AND v_last + interval '7 days'
      AND o.project_id = forget.project_id AND o.incident_id = ANY (v_incidents);
    DELETE FROM sendpromptly.incidents AS i WHERE i.project_id = forget.project_id AND i.incident_id = ANY (v_incidents);
  END IF;
  DELETE FROM sendpromptly.seals AS s WHERE s.project_id = forget.project_id AND s.effect_id = ANY (v_mine);
  DELETE FROM sendpromptly.chains AS c WHERE c.project_id = forget.project_id AND c.effect_id = ANY (v_mine);
  DELETE FROM sendpromptly.entries AS n WHERE n.project_id = forget.project_id AND n.effect_id = ANY (v_mine);
  DELETE FROM sendpromptly.snapshots AS s WHERE s.project_id = forget.project_id AND s.effect_id = ANY (v_mine);
  DELETE FROM sendpromptly.effects AS e WHERE e.project_id = forget.project_id AND e.effect_id = ANY (v_mine);
  RETURN v_mine;
END
$$;
-- +goose StatementEnd

-- One step without an archive: looks at batch effects after a place, removes
-- those that may leave (or only counts them), and says where the next step goes on.
-- +goose StatementBegin
CREATE FUNCTION sendpromptly.retain(project text, settled_before timestamptz, after uuid, batch integer, dry_run boolean DEFAULT false,
    OUT taken integer, OUT gone integer, OUT last uuid)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
  v_project integer := (SELECT p.project_id FROM sendpromptly.projects AS p WHERE p.name = project);
  v_bound timestamptz := sendpromptly.retention_bound(settled_before);
  v_page uuid[] := sendpromptly.retention_page(v_project, v_bound, after, batch);
  v_gone uuid[];
BEGIN
  taken := cardinality(v_page);
  last := coalesce(v_page[taken], after);
  v_gone := sendpromptly.settled_before(v_project, v_page, v_bound);
  IF NOT dry_run THEN
    v_gone := sendpromptly.forget(v_project, v_gone, v_bound);
  END IF;
  gone := cardinality(v_gone);
END
$$;
-- +goose StatementEnd

-- One page for an archive: every effect that was looked at, with all that is
-- known of it where it may leave, and null where it stays.
-- +goose StatementBegin
CREATE FUNCTION sendpromptly.retain_read(project text, settled_before timestamptz, after uuid, batch integer)
  RETURNS TABLE (effect_id uuid, accepted_at timestamptz, document text)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
  v_project integer := (SELECT p.project_id FROM sendpromptly.projects AS p WHERE p.name = project);
  v_bound timestamptz := sendpromptly.retention_bound(settled_before);
  v_page uuid[] := sendpromptly.retention_page(v_project, v_bound, after, batch);
  v_leaving uuid[] := sendpromptly.settled_before(v_project, v_page, v_bound);
BEGIN
  RETURN QUERY SELECT u.id, e.accepted_at, CASE WHEN u.id = ANY (v_leaving) THEN sendpromptly.archived(v_project, u.id)::text END
  FROM unnest(v_page) WITH ORDINALITY AS u(id, n)
  CROSS JOIN LATERAL (SELECT f.accepted_at FROM sendpromptly.effects AS f WHERE f.project_id = v_project AND f.effect_id = u.id LIMIT 1) AS e
  ORDER BY u.n;
END
$$;

-- All rows of one effect, but for its search terms, which follow from the
-- receipt, and the payload's snapshot, which is sealed and kept for 30 days only.
CREATE FUNCTION sendpromptly.archived(project_id integer, effect_id uuid) RETURNS json
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT json_build_object(
    'effect', (SELECT to_json(r) FROM sendpromptly.receipts AS r WHERE r.project_id = archived.project_id AND r.effect_id = archived.effect_id),
    'entries', coalesce((SELECT json_agg(n ORDER BY n.entry_id) FROM sendpromptly.entries AS n
      WHERE n.project_id = archived.project_id AND n.effect_id = archived.effect_id), '[]'),
    'incident', (SELECT to_json(i) FROM sendpromptly.incidents AS i WHERE i.project_id = archived.project_id AND i.effect_id = archived.effect_id),
    'attempts', coalesce((SELECT json_agg(a ORDER BY a.number) FROM sendpromptly.incidents AS i JOIN sendpromptly.attempts AS a
      ON a.project_id = i.project_id AND a.incident_id = i.incident_id
      WHERE i.project_id = archived.project_id AND i.effect_id = archived.effect_id), '[]'),
    'callbacks', coalesce((SELECT json_agg(c ORDER BY c.replay_id) FROM sendpromptly.incidents AS i
      JOIN sendpromptly.attempts AS a ON a.project_id = i.project_id AND a.incident_id = i.incident_id
      JOIN sendpromptly.callbacks AS c ON c.project_id = a.project_id AND c.replay_id = a.replay_id
      WHERE i.project_id = archived.project_id AND i.effect_id = archived.effect_id), '[]'),
    'chain', (SELECT to_json(c) FROM sendpromptly.chains AS c WHERE c.project_id = archived.project_id AND c.effect_id = archived.effect_id),
    'seals', coalesce((SELECT json_agg(s ORDER BY s.seq) FROM sendpromptly.seals AS s
      WHERE s.project_id = archived.project_id AND s.effect_id = archived.effect_id), '[]'))
$$;
-- +goose StatementEnd

-- Removes what an archive holds. Of the effects that were still there, it says
-- which are gone now; the others changed since they were read, and stay.
-- +goose StatementBegin
CREATE FUNCTION sendpromptly.retain_forget(project text, settled_before timestamptz, effect_ids uuid[])
  RETURNS TABLE (effect_id uuid, gone boolean)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
  v_project integer := (SELECT p.project_id FROM sendpromptly.projects AS p WHERE p.name = project);
  v_there uuid[] := ARRAY(SELECT e.effect_id FROM sendpromptly.effects AS e WHERE e.project_id = v_project AND e.effect_id = ANY (effect_ids));
  v_gone uuid[] := sendpromptly.forget(v_project, v_there, sendpromptly.retention_bound(settled_before));
BEGIN
  RETURN QUERY SELECT u.id, u.id = ANY (v_gone) FROM unnest(v_there) AS u(id);
END
$$;
-- +goose StatementEnd

REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA sendpromptly FROM PUBLIC;
INSERT INTO sendpromptly.migrations (version, name) VALUES (11, 'retention');
