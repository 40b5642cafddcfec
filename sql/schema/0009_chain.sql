-- +goose Up
-- The chain: entries are numbered and hashed after the fact, off the caller's
-- path. hash = SHA-256(previous hash, canonical entry); docs/proof-format.md
-- has the bytes.

-- The timeline of one effect: the receipt (entry 0), the success that ended the
-- first wait (entry 1), then the entries.
-- +goose StatementBegin
CREATE FUNCTION sendpromptly.timeline(project_id integer, effect_id uuid)
  RETURNS TABLE (entry_id bigint, kind text, at timestamptz, state text, cause text, actor text, replay_id text,
    error_code text, error_message text, note text, url text, status integer, duration_ms integer, answer text)
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT 0::bigint, 'receipt', e.accepted_at, 'awaiting', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL::integer, NULL::integer, NULL
  FROM sendpromptly.effects AS e WHERE e.project_id = timeline.project_id AND e.effect_id = timeline.effect_id
  UNION ALL
  SELECT 1::bigint, 'success', e.succeeded_at, 'applied', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL::integer, NULL::integer, NULL
  FROM sendpromptly.effects AS e
  WHERE e.project_id = timeline.project_id AND e.effect_id = timeline.effect_id AND e.succeeded_at < 'infinity'
  UNION ALL
  SELECT n.entry_id, n.kind, n.at, n.state, n.cause, n.actor, n.replay_id, n.error_code, n.error_message, n.note, n.url,
    n.status, n.duration_ms, n.answer
  FROM sendpromptly.entries AS n WHERE n.project_id = timeline.project_id AND n.effect_id = timeline.effect_id
$$;
-- +goose StatementEnd

-- A value with its length before it: 4 bytes, big-endian, -1 for null. These three are plain expressions that Postgres
-- writes into the caller's (hence no settings of their own, every name with its schema, and STABLE as what they call);
-- the functions after them keep their plans for the session, which SQL functions do not.
-- +goose StatementBegin
CREATE FUNCTION sendpromptly.prefixed(value bytea) RETURNS bytea
  LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN value IS NULL THEN pg_catalog.int4send(-1)
    ELSE pg_catalog.int4send(pg_catalog.octet_length(value)) OPERATOR(pg_catalog.||) value END
$$;

CREATE FUNCTION sendpromptly.prefixed_text(value text) RETURNS bytea
  LANGUAGE sql STABLE AS $$
  SELECT sendpromptly.prefixed(pg_catalog.convert_to(value, 'UTF8'))
$$;

CREATE FUNCTION sendpromptly.micros(at timestamptz) RETURNS text
  LANGUAGE sql STABLE AS $$
  SELECT (pg_catalog.extract('epoch', at) OPERATOR(pg_catalog.*) 1000000)::bigint::text
$$;
-- +goose StatementEnd

-- The hidden fields of one entry that have a value, in their fixed order.
-- +goose StatementBegin
CREATE FUNCTION sendpromptly.hidden_fields(project_id integer, effect_id uuid, entry_id bigint, OUT fields text[], OUT bodies bytea[])
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
  SELECT coalesce(array_agg(f.name ORDER BY f.place), '{}'), coalesce(array_agg(f.body ORDER BY f.place), '{}') INTO fields, bodies FROM (
    SELECT v.name, v.body, v.place FROM sendpromptly.receipts AS e, LATERAL (VALUES
      (1, 'event_id', convert_to(e.event_id, 'UTF8')), (2, 'subject', convert_to(e.subject, 'UTF8')),
      (3, 'shop', convert_to(e.shop, 'UTF8')), (4, 'occurred_at', convert_to(sendpromptly.micros(e.occurred_at), 'UTF8')),
      (5, 'deadline', convert_to(sendpromptly.micros(e.deadline), 'UTF8')), (6, 'amount', convert_to(e.amount::text, 'UTF8')),
      (7, 'currency', convert_to(e.currency, 'UTF8')), (8, 'customer', convert_to(e.customer, 'UTF8')),
      (9, 'version', convert_to(e.version, 'UTF8')),
      (10, 'objects', (SELECT string_agg(sendpromptly.prefixed_text(o.id), ''::bytea ORDER BY o.n) FROM unnest(e.objects) WITH ORDINALITY AS o(id, n)))
    ) AS v(place, name, body)
    WHERE hidden_fields.entry_id = 0 AND e.project_id = hidden_fields.project_id AND e.effect_id = hidden_fields.effect_id
    UNION ALL
    SELECT v.name, v.body, v.place FROM sendpromptly.entries AS n, LATERAL (VALUES
      (1, 'actor', convert_to(n.actor, 'UTF8')), (2, 'replay_id', convert_to(n.replay_id, 'UTF8')),
      (3, 'error_code', convert_to(n.error_code, 'UTF8')), (4, 'error_message', convert_to(n.error_message, 'UTF8')),
      (5, 'note', convert_to(n.note, 'UTF8')), (6, 'url', convert_to(n.url, 'UTF8')),
      (7, 'status', convert_to(n.status::text, 'UTF8')), (8, 'duration_ms', convert_to(n.duration_ms::text, 'UTF8')),
      (9, 'answer', convert_to(n.answer, 'UTF8'))
    ) AS v(place, name, body)
    WHERE n.project_id = hidden_fields.project_id AND n.effect_id = hidden_fields.effect_id AND n.entry_id = hidden_fields.entry_id
  ) AS f WHERE f.body IS NOT NULL;
END
$$;
-- +goose StatementEnd

-- commitment = SHA-256(field_salt, value); field_salt = SHA-256(effect_salt, seq as 8 bytes, field name).
-- +goose StatementBegin
CREATE FUNCTION sendpromptly.commitments(salt bytea, seq integer, fields text[], bodies bytea[]) RETURNS bytea[]
  LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN (SELECT coalesce(array_agg(sha256(sha256(salt || int8send(seq) || convert_to(u.name, 'UTF8')) || u.body) ORDER BY u.n), '{}')
    FROM unnest(fields, bodies) WITH ORDINALITY AS u(name, body, n));
END
$$;

CREATE FUNCTION sendpromptly.entry_hash(previous bytea, seq integer, kind text, at timestamptz, state text, cause text,
    provider text, event_type text, effect text, effect_id uuid, fields text[], commitments bytea[]) RETURNS bytea
  LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN (SELECT sha256(previous || sendpromptly.prefixed_text('sendpromptly.entry.v1') || sendpromptly.prefixed_text(seq::text)
    || sendpromptly.prefixed_text(kind) || sendpromptly.prefixed_text(sendpromptly.micros(at)) || sendpromptly.prefixed_text(state)
    || sendpromptly.prefixed_text(cause) || sendpromptly.prefixed_text(provider) || sendpromptly.prefixed_text(event_type)
    || sendpromptly.prefixed_text(effect) || sendpromptly.prefixed_text(effect_id::text)
    || coalesce(string_agg(sendpromptly.prefixed_text(u.name) || sendpromptly.prefixed(u.commitment), ''::bytea ORDER BY u.n), ''::bytea))
    FROM unnest(fields, commitments) WITH ORDINALITY AS u(name, commitment, n));
END
$$;
-- +goose StatementEnd

-- seal numbers and hashes the visible unsealed entries of one effect, in the
-- order of their ids. An entry that commits later gets a later number: sealed
-- ones never change.
-- +goose StatementBegin
CREATE FUNCTION sendpromptly.seal(project_id integer, effect_id uuid, OUT seq integer, OUT hash bytea)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
  v_salt bytea;
  v_row record;
  v_hidden record;
  v_commitments bytea[];
BEGIN
  INSERT INTO sendpromptly.chains (project_id, effect_id, salt, seq, hash)
  SELECT e.project_id, e.effect_id, uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()), 0, decode(repeat('00', 32), 'hex')
  FROM sendpromptly.effects AS e WHERE e.project_id = seal.project_id AND e.effect_id = seal.effect_id
  ON CONFLICT DO NOTHING;
  SELECT c.salt, c.seq, c.hash INTO v_salt, seq, hash FROM sendpromptly.chains AS c
  WHERE c.project_id = seal.project_id AND c.effect_id = seal.effect_id FOR NO KEY UPDATE;
  FOR v_row IN
    SELECT t.*, e.provider, e.event_type, e.effect FROM sendpromptly.timeline(seal.project_id, seal.effect_id) AS t,
      sendpromptly.receipts AS e
    WHERE e.project_id = seal.project_id AND e.effect_id = seal.effect_id AND NOT EXISTS (
      SELECT 1 FROM sendpromptly.seals AS s
      WHERE s.project_id = seal.project_id AND s.effect_id = seal.effect_id AND s.entry_id = t.entry_id)
    ORDER BY t.entry_id
  LOOP
    seq := seq + 1;
    v_hidden := sendpromptly.hidden_fields(seal.project_id, seal.effect_id, v_row.entry_id);
    v_commitments := sendpromptly.commitments(v_salt, seal.seq, v_hidden.fields, v_hidden.bodies);
    hash := sendpromptly.entry_hash(hash, seq, v_row.kind, v_row.at, v_row.state, v_row.cause, v_row.provider,
      v_row.event_type, v_row.effect, seal.effect_id, v_hidden.fields, v_commitments);
    INSERT INTO sendpromptly.seals (project_id, effect_id, seq, entry_id, fields, commitments, hash)
    VALUES (seal.project_id, seal.effect_id, seal.seq, v_row.entry_id, v_hidden.fields, v_commitments, seal.hash);
  END LOOP;
  UPDATE sendpromptly.chains AS c SET seq = seal.seq, hash = seal.hash
  WHERE c.project_id = seal.project_id AND c.effect_id = seal.effect_id AND c.seq < seal.seq;
END
$$;
-- +goose StatementEnd

-- seal_changed seals the effects of incidents that changed. It follows the
-- change feed below the oldest running transaction, where nothing can appear
-- any more; one engine at a time holds the cursor. apart is for a batch that
-- broke, as in fold_failures: a chain that cannot be sealed, for a reason that
-- lies in it, is left behind with a note, and holds up no other.
-- +goose StatementBegin
CREATE FUNCTION sendpromptly.seal_changed(batch integer, apart boolean DEFAULT false, OUT taken integer)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
  v_cursor sendpromptly.seal_cursor;
  v_last record;
  v_incident record;
BEGIN
  taken := 0;
  SELECT c.* INTO v_cursor FROM sendpromptly.seal_cursor AS c FOR UPDATE SKIP LOCKED;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  FOR v_last IN
    SELECT c.xid, c.seq, c.project_id, c.subject_id, c.kind FROM sendpromptly.changes AS c
    WHERE (c.xid, c.seq) > (v_cursor.xid, v_cursor.seq) AND c.xid < pg_snapshot_xmin(pg_current_snapshot())
    ORDER BY c.xid, c.seq LIMIT batch
  LOOP
    taken := taken + 1;
    v_cursor.xid := v_last.xid;
    v_cursor.seq := v_last.seq;
    IF v_last.kind <> 'settings' THEN
      SELECT i.project_id, i.effect_id INTO v_incident FROM sendpromptly.incidents AS i
      WHERE i.project_id = v_last.project_id AND i.incident_id = v_last.subject_id;
      IF FOUND AND NOT apart THEN
        PERFORM sendpromptly.seal(v_incident.project_id, v_incident.effect_id);
      ELSIF FOUND THEN
        BEGIN
          PERFORM sendpromptly.seal(v_incident.project_id, v_incident.effect_id);
        EXCEPTION WHEN OTHERS THEN
          IF NOT sendpromptly.rows_fault(SQLSTATE) THEN
            RAISE;
          END IF;
          INSERT INTO sendpromptly.entries (effect_id, at, project_id, kind, error_message, note)
          VALUES (v_incident.effect_id, sendpromptly.clock(), v_incident.project_id, 'note', left(SQLERRM, 2000),
            'the timeline could not be sealed: spadmin verify says more');
        END;
      END IF;
    END IF;
  END LOOP;
  IF taken > 0 THEN
    UPDATE sendpromptly.seal_cursor SET xid = v_cursor.xid, seq = v_cursor.seq;
  END IF;
END
$$;
-- +goose StatementEnd

-- The hidden fields that erasing keeps: what happened, and who acted.
-- +goose StatementBegin
CREATE FUNCTION sendpromptly.kept_fields() RETURNS text[]
  LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
  SELECT ARRAY['event_id', 'occurred_at', 'deadline', 'amount', 'currency', 'version', 'actor', 'replay_id', 'status', 'duration_ms']
$$;
-- +goose StatementEnd

-- Whether an erased entry is emptied but for what is kept, which has its salts still.
-- +goose StatementBegin
CREATE FUNCTION sendpromptly.kept_intact(salts bytea[], fields text[], commitments bytea[], left_fields text[], left_bodies bytea[]) RETURNS boolean
  LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT coalesce(bool_and(CASE WHEN s.salt IS NULL THEN l.name IS NULL AND s.name <> ALL (sendpromptly.kept_fields()) ELSE s.commitment = sha256(s.salt || l.body) IS TRUE END), true)
  FROM unnest(salts, fields, commitments) AS s(salt, name, commitment) FULL JOIN unnest(left_fields, left_bodies) AS l(name, body) ON l.name = s.name
$$;
-- +goose StatementEnd

-- What is wrong with one chain, or null. Where the salt is gone (erased), the
-- stored commitments still carry the hash.
-- +goose StatementBegin
CREATE FUNCTION sendpromptly.chain_problem(project_id integer, effect_id uuid) RETURNS text
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
  v_chain sendpromptly.chains;
  v_row record;
  v_hidden record;
  v_hash bytea := decode(repeat('00', 32), 'hex');
  v_seq integer := 0;
BEGIN
  SELECT c.* INTO v_chain FROM sendpromptly.chains AS c WHERE c.project_id = chain_problem.project_id AND c.effect_id = chain_problem.effect_id;
  FOR v_row IN
    SELECT s.seq, s.entry_id, s.fields, s.commitments, s.salts, s.hash, t.kind, t.at, t.state, t.cause, e.provider, e.event_type, e.effect
    FROM sendpromptly.seals AS s
    LEFT JOIN sendpromptly.timeline(chain_problem.project_id, chain_problem.effect_id) AS t ON t.entry_id = s.entry_id
    LEFT JOIN sendpromptly.receipts AS e ON e.project_id = s.project_id AND e.effect_id = s.effect_id
    WHERE s.project_id = chain_problem.project_id AND s.effect_id = chain_problem.effect_id ORDER BY s.seq
  LOOP
    v_seq := v_seq + 1;
    IF v_row.seq <> v_seq THEN
      RETURN format('entry %s is missing', v_seq);
    ELSIF v_row.kind IS NULL THEN
      RETURN format('entry %s was removed', v_seq);
    END IF;
    v_hidden := sendpromptly.hidden_fields(chain_problem.project_id, chain_problem.effect_id, v_row.entry_id);
    IF v_seq <= v_chain.erased THEN
      IF NOT sendpromptly.kept_intact(v_row.salts, v_row.fields, v_row.commitments, v_hidden.fields, v_hidden.bodies) THEN
        RETURN format('entry %s was altered after it was erased', v_seq);
      END IF;
    ELSIF v_seq = v_chain.erased + 1 AND v_seq > 1 AND v_row.kind <> 'erased' THEN
      RETURN format('entries up to %s were emptied without an erasure', v_chain.erased);
    ELSIF v_chain.salt IS NULL THEN
      RETURN format('entry %s cannot be checked: the salt is gone', v_seq);
    ELSE
      IF v_hidden.fields <> v_row.fields OR v_row.commitments <> sendpromptly.commitments(v_chain.salt, v_seq, v_hidden.fields, v_hidden.bodies) THEN
        RETURN format('entry %s was altered', v_seq);
      END IF;
    END IF;
    v_hash := sendpromptly.entry_hash(v_hash, v_seq, v_row.kind, v_row.at, v_row.state, v_row.cause, v_row.provider,
      v_row.event_type, v_row.effect, chain_problem.effect_id, v_row.fields, v_row.commitments);
    IF v_hash <> v_row.hash THEN
      RETURN format('entry %s was altered', v_seq);
    END IF;
  END LOOP;
  IF v_chain.erased > 0 AND v_chain.erased >= v_seq THEN
    RETURN format('entries up to %s were emptied without an erasure', v_chain.erased);
  ELSIF v_seq <> v_chain.seq OR v_hash <> v_chain.hash THEN
    RETURN format('the chain ends at entry %s, its head says %s', v_seq, coalesce(v_chain.seq::text, 'nothing'));
  END IF;
  RETURN NULL;
END
$$;
-- +goose StatementEnd

REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA sendpromptly FROM PUBLIC;
INSERT INTO sendpromptly.migrations (version, name) VALUES (9, 'chain');
