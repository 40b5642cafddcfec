-- Erasing a customer's personal data.

-- erase erases at most batch effects of a customer or a subject in one project: call it until taken is 0. open counts those
-- among them that are still owed; their repair will no longer say whom it is for. New effects are found before the index
-- step has added their search terms, and that step is kept from adding what it read before. The person's name is removed
-- from saved filters.
--
-- With patient false, locked effects are skipped. With patient true, one effect is taken, and the call waits for it: an
-- erasure that held others while it waits would block the app's workers for as long, or deadlock with them.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.erase(project text, customer text, subject text, operator text, batch integer, patient boolean DEFAULT true,
    OUT taken integer, OUT open integer)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
  v_project integer := (SELECT p.project_id FROM sendpromptly.projects AS p WHERE p.name = project);
  v_now timestamptz := sendpromptly.clock();
  v_cursor uuid;
  v_row record;
BEGIN
  taken := 0;
  open := 0;
  SELECT c.effect_id INTO v_cursor FROM sendpromptly.term_cursors AS c WHERE c.project_id = v_project FOR UPDATE;
  FOR v_row IN
    SELECT e.effect_id, e.deadline FROM sendpromptly.effects AS e
    WHERE e.project_id = v_project AND e.effect_id IN (
        SELECT t.effect_id FROM sendpromptly.terms AS t WHERE t.project_id = v_project AND t.term = lower(coalesce(erase.customer, erase.subject))
        UNION
        SELECT n.effect_id FROM sendpromptly.effects AS n
        WHERE n.project_id = v_project AND n.effect_id > coalesce(v_cursor, '00000000-0000-0000-0000-000000000000'))
      AND (erase.customer IS NULL OR e.customer = erase.customer) AND (erase.subject IS NULL OR e.subject = erase.subject)
      AND (erase.customer <> '' OR erase.subject <> '')
    ORDER BY e.effect_id
  LOOP
    EXIT WHEN taken >= CASE WHEN patient THEN 1 ELSE batch END;
    -- An effect that another session has erased since then no longer matches.
    IF patient THEN
      PERFORM 1 FROM sendpromptly.effects AS e WHERE e.project_id = v_project AND e.effect_id = v_row.effect_id
        AND (erase.customer IS NULL OR e.customer = erase.customer) AND (erase.subject IS NULL OR e.subject = erase.subject) FOR NO KEY UPDATE;
    ELSE
      PERFORM 1 FROM sendpromptly.effects AS e WHERE e.project_id = v_project AND e.effect_id = v_row.effect_id
        AND (erase.customer IS NULL OR e.customer = erase.customer) AND (erase.subject IS NULL OR e.subject = erase.subject) FOR NO KEY UPDATE SKIP LOCKED;
    END IF;
    CONTINUE WHEN NOT FOUND;
    taken := taken + 1;
    IF sendpromptly.effect_state(v_project, v_row.effect_id, v_row.deadline) NOT IN ('applied', 'closed') THEN
      open := open + 1;
    END IF;
    PERFORM sendpromptly.erase_effect(v_project, v_row.effect_id, operator);
  END LOOP;
  UPDATE sendpromptly.plans AS p SET filter = sendpromptly.filter_without(p.filter, coalesce(erase.customer, erase.subject))
  WHERE p.project_id = v_project AND sendpromptly.filter_names(p.filter, coalesce(erase.customer, erase.subject));
  UPDATE sendpromptly.saved_views AS v SET filter = sendpromptly.filter_without(v.filter, coalesce(erase.customer, erase.subject))
  WHERE v.project_id = v_project AND sendpromptly.filter_names(v.filter, coalesce(erase.customer, erase.subject));
  IF taken > 0 THEN
    INSERT INTO sendpromptly.audit (project_id, audit_id, at, actor, action, subject, detail)
    VALUES (v_project, sendpromptly.uuid7(v_now), v_now, left(operator, 255), 'erase',
      CASE WHEN erase.customer IS NOT NULL THEN 'a customer' ELSE 'a subject' END, format('%s effects', taken));
  END IF;
END
$$;
-- +goose StatementEnd

-- erase_effect destroys the personal data of an effect: the values and, with the chain's salt, everything that would confirm
-- a guess. Everything is sealed first, so the commitments stay and the chain still verifies; the salts of the fields that
-- are kept stay too. Then the chain goes on with a new salt. The provider's event id stays: without it a redelivery would be
-- owed again.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.erase_effect(project_id integer, effect_id uuid, operator text) RETURNS void
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
  v_kept CONSTANT text[] := sendpromptly.kept_fields();
  v_now timestamptz := sendpromptly.clock();
  v_head record;
BEGIN
  UPDATE sendpromptly.owed AS o SET poisoned = '(erased)' FROM sendpromptly.effects AS e
  WHERE e.project_id = erase_effect.project_id AND e.effect_id = erase_effect.effect_id
    AND o.deadline = e.deadline AND o.project_id = e.project_id AND o.effect_id = e.effect_id AND o.poisoned IS NOT NULL;
  UPDATE sendpromptly.incidents AS i SET note = NULL, error_code = NULL, error_message = NULL, revision = i.revision + 1
  WHERE i.project_id = erase_effect.project_id AND i.effect_id = erase_effect.effect_id;
  PERFORM sendpromptly.seal(erase_effect.project_id, erase_effect.effect_id);
  SELECT c.seq, c.salt, c.erased INTO v_head FROM sendpromptly.chains AS c
  WHERE c.project_id = erase_effect.project_id AND c.effect_id = erase_effect.effect_id FOR NO KEY UPDATE;
  UPDATE sendpromptly.seals AS s SET salts = ARRAY(
    SELECT CASE WHEN f.name = ANY (v_kept) THEN sha256(v_head.salt || int8send(s.seq) || convert_to(f.name, 'UTF8')) END
    FROM unnest(s.fields) WITH ORDINALITY AS f(name, n) ORDER BY f.n)
  WHERE s.project_id = erase_effect.project_id AND s.effect_id = erase_effect.effect_id AND s.seq > v_head.erased;
  DELETE FROM sendpromptly.terms AS t USING (
    SELECT DISTINCT lower(w.term) AS term FROM sendpromptly.effects AS e, LATERAL unnest(ARRAY[e.subject, e.customer] || string_to_array(e.objects, chr(31))) AS w(term)
    WHERE e.project_id = erase_effect.project_id AND e.effect_id = erase_effect.effect_id AND w.term <> '') AS d
  WHERE t.project_id = erase_effect.project_id AND t.term = d.term AND t.effect_id = erase_effect.effect_id;
  UPDATE sendpromptly.effects AS e SET subject = '', merchant = '', customer = '', objects = ''
  WHERE e.project_id = erase_effect.project_id AND e.effect_id = erase_effect.effect_id;
  UPDATE sendpromptly.entries AS n SET error_code = NULL, error_message = NULL, note = NULL, url = NULL, answer = NULL
  WHERE n.project_id = erase_effect.project_id AND n.effect_id = erase_effect.effect_id;
  UPDATE sendpromptly.deferred_failures AS d SET error_code = NULL, error_message = NULL
  WHERE d.project_id = erase_effect.project_id AND d.effect_id = erase_effect.effect_id;
  UPDATE sendpromptly.nonces AS n SET answer = '', body_hash = uuid_send(gen_random_uuid()) WHERE n.project_id = erase_effect.project_id AND n.replay_id IN (
    SELECT a.replay_id FROM sendpromptly.incidents AS i JOIN sendpromptly.attempts AS a ON a.project_id = i.project_id AND a.incident_id = i.incident_id
    WHERE i.project_id = erase_effect.project_id AND i.effect_id = erase_effect.effect_id);
  UPDATE sendpromptly.proofs AS f SET audience = NULL
  WHERE f.project_id = erase_effect.project_id AND f.effect_id = erase_effect.effect_id;
  UPDATE sendpromptly.plans AS p SET note = '(erased)' WHERE p.note IS NOT NULL AND EXISTS (
    SELECT 1 FROM sendpromptly.incidents AS i JOIN sendpromptly.plan_items AS m ON m.project_id = i.project_id AND m.incident_id = i.incident_id
    WHERE i.project_id = erase_effect.project_id AND i.effect_id = erase_effect.effect_id AND m.project_id = p.project_id AND m.plan_id = p.plan_id);
  DELETE FROM sendpromptly.snapshots AS s WHERE s.project_id = erase_effect.project_id AND s.effect_id = erase_effect.effect_id;
  INSERT INTO sendpromptly.entries (effect_id, at, project_id, kind, actor)
  VALUES (erase_effect.effect_id, v_now, erase_effect.project_id, 'erased', left(operator, 255));
  UPDATE sendpromptly.chains AS c SET salt = uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()), erased = c.seq
  WHERE c.project_id = erase_effect.project_id AND c.effect_id = erase_effect.effect_id;
  PERFORM sendpromptly.seal(erase_effect.project_id, erase_effect.effect_id);
  INSERT INTO sendpromptly.changes (subject_id, at, project_id, kind, what)
  SELECT i.incident_id, v_now, i.project_id, 'incident', 'erased' FROM sendpromptly.incidents AS i
  WHERE i.project_id = erase_effect.project_id AND i.effect_id = erase_effect.effect_id;
END
$$;
-- +goose StatementEnd

-- The hidden fields that erasing keeps: what happened, and who did it.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.kept_fields() RETURNS text[]
  LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
  SELECT ARRAY['event_id', 'occurred_at', 'deadline', 'amount', 'currency', 'version', 'source_event', 'actor', 'replay_id', 'status', 'duration_ms']
$$;
-- +goose StatementEnd

-- Whether a filter, as plans and saved views store it, names a person: as a whole value, in any case, as filters compare it.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.filter_names(filter text, name text) RETURNS boolean
  LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT EXISTS (SELECT 1 FROM json_each(filter::json) AS m WHERE json_typeof(m.value) = 'string' AND lower(m.value #>> '{}') = lower(name))
$$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.filter_without(filter text, name text) RETURNS text
  LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT json_object_agg(m.key, CASE WHEN json_typeof(m.value) = 'string' AND lower(m.value #>> '{}') = lower(name) THEN to_json('(erased)'::text) ELSE m.value END)::text
  FROM json_each(filter::json) AS m
$$;
-- +goose StatementEnd

SELECT sendpromptly.allow('sendpromptly_operator', 'EXECUTE ON FUNCTION sendpromptly.erase');
