-- Retention into an archive: a page is read, the caller writes it to the archive, and then the page is removed.

-- One page for an archive, as far as the budget allows: every effect that was checked. An effect that may leave comes with
-- all that is known of it; an effect that stays comes with null. Timelines are sealed first. The call hardly waits for a
-- locked chain: the effect of that chain stays.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.retain_read(project text, settled_before timestamptz, after uuid, batch integer, budget interval DEFAULT '30 milliseconds')
  RETURNS TABLE (effect_id uuid, document text, held interval)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
  v_project integer := (SELECT p.project_id FROM sendpromptly.projects AS p WHERE p.name = project);
  v_bound timestamptz := sendpromptly.retention_bound(settled_before);
  v_started timestamptz := sendpromptly.clock();
  v_page uuid[] := sendpromptly.retention_page(v_project, v_bound, after, batch);
  v_leaving uuid[] := sendpromptly.settled_before(v_project, v_page, v_bound);
BEGIN
  FOREACH effect_id IN ARRAY v_page LOOP
    document := NULL;
    IF effect_id = ANY (v_leaving) THEN -- locked, so that nobody else removes what is being sealed
      PERFORM 1 FROM sendpromptly.effects AS e WHERE e.project_id = v_project AND e.effect_id = retain_read.effect_id FOR NO KEY UPDATE SKIP LOCKED;
      IF FOUND THEN
        document := sendpromptly.sealed_document(v_project, effect_id);
      END IF;
    END IF;
    held := sendpromptly.clock() - v_started;
    RETURN NEXT;
    EXIT WHEN held >= budget;
  END LOOP;
END
$$;
-- +goose StatementEnd

-- The document of one effect for an archive. The caller has locked the effect. The result is null if the chain is locked, or
-- if the data of a row prevents it; a note then records the error, as in forget_group. A timeline of only the receipt and
-- the success of the first wait is sealed only if its seal was begun: there are many such effects.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.sealed_document(project_id integer, effect_id uuid) RETURNS text
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '10ms' AS $$
#variable_conflict use_column
BEGIN
  IF EXISTS (SELECT 1 FROM sendpromptly.entries AS n WHERE n.project_id = sealed_document.project_id AND n.effect_id = sealed_document.effect_id)
    OR EXISTS (SELECT 1 FROM sendpromptly.chains AS c WHERE c.project_id = sealed_document.project_id AND c.effect_id = sealed_document.effect_id) THEN
    PERFORM sendpromptly.seal(project_id, effect_id);
  END IF;
  RETURN (SELECT sendpromptly.archived(e.project_id, e.effect_id)::text FROM sendpromptly.effects AS e
    WHERE e.project_id = sealed_document.project_id AND e.effect_id = sealed_document.effect_id ORDER BY e.project_id, e.effect_id LIMIT 1);
EXCEPTION
  WHEN lock_not_available THEN
    RETURN NULL;
  WHEN OTHERS THEN
    IF NOT sendpromptly.rows_fault(SQLSTATE) THEN
      RAISE;
    END IF;
    INSERT INTO sendpromptly.entries (effect_id, at, project_id, kind, error_message, note)
    VALUES (sealed_document.effect_id, sendpromptly.clock(), sealed_document.project_id, 'note', left(SQLERRM, 2000), 'retention could not archive the effect');
    RETURN NULL;
END
$$;
-- +goose StatementEnd

-- All rows of one effect, except its search terms, which follow from the receipt, and the payload's snapshot, which is
-- sealed and kept for 30 days only.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.archived(project_id integer, effect_id uuid) RETURNS json
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

-- Removes what an archive contains, in the order of the list and as far as the budget allows. gone is null for an effect
-- that no longer existed, and false for an effect that has changed since it was read, and stays.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.retain_forget(project text, settled_before timestamptz, effect_ids uuid[], budget interval DEFAULT '30 milliseconds')
  RETURNS TABLE (effect_id uuid, gone boolean, held interval)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
  v_project integer := (SELECT p.project_id FROM sendpromptly.projects AS p WHERE p.name = project);
  v_bound timestamptz := sendpromptly.retention_bound(settled_before);
  v_started timestamptz := sendpromptly.clock();
  v_done integer := 0;
  v_group uuid[];
  v_there uuid[];
  v_gone uuid[];
BEGIN
  WHILE v_done < cardinality(effect_ids) AND (v_done = 0 OR sendpromptly.clock() - v_started < budget) LOOP
    v_group := effect_ids[v_done + 1 : v_done + 20];
    v_there := ARRAY(SELECT x.effect_id FROM unnest(v_group) AS u(id) CROSS JOIN LATERAL (
      SELECT r.effect_id FROM sendpromptly.effects AS r WHERE r.project_id = v_project AND r.effect_id = u.id
      ORDER BY r.project_id, r.effect_id LIMIT 1) AS x);
    v_gone := sendpromptly.forget_group(v_project, v_there, v_bound);
    RETURN QUERY SELECT u.id, CASE WHEN u.id = ANY (v_there) THEN u.id = ANY (v_gone) END, sendpromptly.clock() - v_started
    FROM unnest(v_group) WITH ORDINALITY AS u(id, n) ORDER BY u.n;
    v_done := v_done + cardinality(v_group);
  END LOOP;
END
$$;
-- +goose StatementEnd
