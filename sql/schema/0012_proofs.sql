-- +goose Up
-- Proofs that were issued, and the erasing of a customer. The token itself is
-- not kept: the row says that it was issued, and whether it still holds.

-- audience is a note for the team, such as "dispute 12 at the bank". head_seq
-- and head_hash are the chain's head that the token carries. A row is never
-- deleted, and an effect with one is never removed (see proof_bearing).
CREATE TABLE sendpromptly.proofs (
  project_id  integer NOT NULL,
  jti         uuid NOT NULL,
  incident_id uuid NOT NULL,
  effect_id   uuid NOT NULL,
  issuer      text NOT NULL,
  audience    text,
  issued_by   text NOT NULL,
  issued_at   timestamptz NOT NULL,
  expires_at  timestamptz NOT NULL,
  revoked_at  timestamptz,
  revoked_by  text,
  head_seq    integer NOT NULL,
  head_hash   bytea NOT NULL,
  views       integer NOT NULL DEFAULT 0,
  last_view   timestamptz,
  PRIMARY KEY (project_id, jti),
  CONSTRAINT proofs_lifetime CHECK (expires_at > issued_at AND expires_at <= issued_at + interval '90 days')
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05);

CREATE INDEX proofs_effect ON sendpromptly.proofs (project_id, effect_id);
CREATE INDEX proofs_incident ON sendpromptly.proofs (project_id, incident_id, jti);

-- Whether a proof was ever issued for an effect. Retention keeps such an effect,
-- its entries and its chain for ever: the proof may be checked long after it
-- expired. Who removes effects locks their incidents first and asks in the next
-- statement: issue_proof holds the incident.
CREATE FUNCTION sendpromptly.proof_bearing(project_id integer, effect_id uuid) RETURNS boolean
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT EXISTS (SELECT 1 FROM sendpromptly.proofs AS p
    WHERE p.project_id = proof_bearing.project_id AND p.effect_id = proof_bearing.effect_id)
$$;

-- issue_proof seals the chain and records a proof of its head. No row comes
-- back where the incident does not exist; project null looks in all. Times are whole seconds, as
-- tokens have them.
-- +goose StatementBegin
CREATE FUNCTION sendpromptly.issue_proof(incident_id uuid, issuer text, audience text, lifetime interval, operator text, project text DEFAULT NULL)
  RETURNS SETOF sendpromptly.proofs
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
  v_proof sendpromptly.proofs;
  v_now timestamptz;
BEGIN
  SELECT i.project_id, i.incident_id, i.effect_id INTO v_proof.project_id, v_proof.incident_id, v_proof.effect_id
  FROM sendpromptly.projects AS p
  JOIN sendpromptly.incidents AS i ON i.project_id = p.project_id AND i.incident_id = issue_proof.incident_id
  JOIN sendpromptly.effects AS e ON e.project_id = i.project_id AND e.effect_id = i.effect_id
  WHERE issue_proof.project IS NULL OR p.name = issue_proof.project
  FOR NO KEY UPDATE OF i;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  v_now := sendpromptly.clock(); -- after the lock, which may have waited for what is sealed now
  SELECT s.seq, s.hash INTO v_proof.head_seq, v_proof.head_hash FROM sendpromptly.seal(v_proof.project_id, v_proof.effect_id) AS s;
  v_proof.jti := sendpromptly.uuid7(v_now);
  v_proof.issuer := issue_proof.issuer;
  v_proof.audience := issue_proof.audience;
  v_proof.issued_by := left(operator, 255);
  v_proof.issued_at := date_trunc('second', v_now);
  v_proof.expires_at := v_proof.issued_at + lifetime;
  v_proof.views := 0;
  INSERT INTO sendpromptly.proofs SELECT v_proof.*;
  INSERT INTO sendpromptly.entries (effect_id, at, project_id, kind, actor, note)
  VALUES (v_proof.effect_id, v_now, v_proof.project_id, 'proof', v_proof.issued_by, v_proof.jti::text);
  INSERT INTO sendpromptly.changes (subject_id, at, project_id, kind, what)
  VALUES (v_proof.incident_id, v_now, v_proof.project_id, 'incident', 'proof');
  INSERT INTO sendpromptly.audit (project_id, audit_id, at, actor, action, subject, detail)
  VALUES (v_proof.project_id, sendpromptly.uuid7(v_now), v_now, v_proof.issued_by, 'proof.issue', v_proof.jti::text, 'incident ' || v_proof.incident_id);
  RETURN NEXT v_proof;
END
$$;
-- +goose StatementEnd

-- revoke_proof ends a proof before its time. Again it changes nothing; no row
-- comes back where there is no such proof.
-- +goose StatementBegin
CREATE FUNCTION sendpromptly.revoke_proof(jti uuid, operator text, project text DEFAULT NULL) RETURNS SETOF sendpromptly.proofs
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
  v_proof sendpromptly.proofs;
  v_now timestamptz := sendpromptly.clock();
BEGIN
  SELECT f.* INTO v_proof FROM sendpromptly.projects AS p
  JOIN sendpromptly.proofs AS f ON f.project_id = p.project_id AND f.jti = revoke_proof.jti
  WHERE revoke_proof.project IS NULL OR p.name = revoke_proof.project
  FOR NO KEY UPDATE OF f;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  IF v_proof.revoked_at IS NULL THEN
    UPDATE sendpromptly.proofs AS f SET revoked_at = v_now, revoked_by = left(operator, 255)
    WHERE f.project_id = v_proof.project_id AND f.jti = v_proof.jti RETURNING f.* INTO v_proof;
    INSERT INTO sendpromptly.audit (project_id, audit_id, at, actor, action, subject, detail)
    VALUES (v_proof.project_id, sendpromptly.uuid7(v_now), v_now, left(operator, 255), 'proof.revoke', v_proof.jti::text, 'incident ' || v_proof.incident_id);
  END IF;
  RETURN NEXT v_proof;
END
$$;
-- +goose StatementEnd

-- count_view notes that a proof's page was opened.
CREATE FUNCTION sendpromptly.count_view(project_id integer, jti uuid) RETURNS void
  LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  UPDATE sendpromptly.proofs AS f SET views = f.views + 1, last_view = (SELECT sendpromptly.clock())
  WHERE f.project_id = count_view.project_id AND f.jti = count_view.jti
$$;

-- erase_effect destroys what an effect holds about a person: the values, and
-- with the chain's salt what would tell whether a guess is right. Everything is
-- sealed first, so the commitments stay and the chain still verifies; the salts of
-- the fields that are kept stay too. Then the chain goes on with a new salt.
-- The provider's event id stays: without it a redelivery would be owed again.
-- +goose StatementBegin
CREATE FUNCTION sendpromptly.erase_effect(project_id integer, effect_id uuid, operator text) RETURNS void
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
  UPDATE sendpromptly.effects AS e SET subject = '', shop = '', customer = '', objects = ''
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

-- Whether a filter, as plans and saved views keep it, names a person: a whole
-- value, in any case, as filters compare it.
-- +goose StatementBegin
CREATE FUNCTION sendpromptly.filter_names(filter text, name text) RETURNS boolean
  LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT EXISTS (SELECT 1 FROM json_each(filter::json) AS m WHERE json_typeof(m.value) = 'string' AND lower(m.value #>> '{}') = lower(name))
$$;

CREATE FUNCTION sendpromptly.filter_without(filter text, name text) RETURNS text
  LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT json_object_agg(m.key, CASE WHEN json_typeof(m.value) = 'string' AND lower(m.value #>> '{}') = lower(name) THEN to_json('(erased)'::text) ELSE m.value END)::text
  FROM json_each(filter::json) AS m
$$;
-- +goose StatementEnd

-- erase erases at most batch effects of a customer or a subject in one project:
-- call it until it takes none. open counts those among them that are still owed,
-- whose repair will no longer be told whom it is for. New effects are found
-- before the index step has folded them in, and it is kept from folding in what
-- it read before. Filters that name the person are emptied of the name.
--
-- patient false passes by what somebody holds. Where it is true, one effect is
-- taken, and waited for: an erasure that held others meanwhile would keep the
-- app's workers from them for as long, or be caught in a deadlock with them.
-- +goose StatementBegin
CREATE FUNCTION sendpromptly.erase(project text, customer text, subject text, operator text, batch integer, patient boolean DEFAULT true,
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
    -- What somebody else erased meanwhile does not fit any more.
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

REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA sendpromptly FROM PUBLIC;
INSERT INTO sendpromptly.migrations (version, name) VALUES (12, 'proofs');
