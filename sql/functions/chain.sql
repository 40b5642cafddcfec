-- The chain: entries are numbered and hashed later, off the caller's path. hash = SHA-256(previous hash, canonical entry);
-- docs/proof-format.md has the bytes.

-- The timeline of one effect: the receipt (entry 0), the success that ended the first wait (entry 1), then the entries.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.timeline(project_id integer, effect_id uuid)
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

-- A value with its length in front: 4 bytes, big-endian, -1 for null. These three are plain expressions that Postgres
-- inlines into the caller's. So they have no settings of their own, write every name with its schema, and are STABLE like
-- what they call. The functions after them keep their plans for the session, which SQL functions do not.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.prefixed(value bytea) RETURNS bytea
  LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN value IS NULL THEN pg_catalog.int4send(-1)
    ELSE pg_catalog.int4send(pg_catalog.octet_length(value)) OPERATOR(pg_catalog.||) value END
$$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.prefixed_text(value text) RETURNS bytea
  LANGUAGE sql STABLE AS $$
  SELECT sendpromptly.prefixed(pg_catalog.convert_to(value, 'UTF8'))
$$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.micros(at timestamptz) RETURNS text
  LANGUAGE sql STABLE AS $$
  SELECT (pg_catalog.extract('epoch', at) OPERATOR(pg_catalog.*) 1000000)::bigint::text
$$;
-- +goose StatementEnd

-- The hidden fields of one entry that have a value, in their fixed order.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.hidden_fields(project_id integer, effect_id uuid, entry_id bigint, OUT fields text[], OUT bodies bytea[])
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
  SELECT coalesce(array_agg(f.name ORDER BY f.place), '{}'), coalesce(array_agg(f.body ORDER BY f.place), '{}') INTO fields, bodies FROM (
    SELECT v.name, v.body, v.place FROM sendpromptly.receipts AS e, LATERAL (VALUES
      (1, 'event_id', convert_to(e.event_id, 'UTF8')), (2, 'subject', convert_to(e.subject, 'UTF8')),
      (3, 'merchant', convert_to(e.merchant, 'UTF8')), (4, 'occurred_at', convert_to(sendpromptly.micros(e.occurred_at), 'UTF8')),
      (5, 'deadline', convert_to(sendpromptly.micros(e.deadline), 'UTF8')), (6, 'amount', convert_to(e.amount::text, 'UTF8')),
      (7, 'currency', convert_to(e.currency, 'UTF8')), (8, 'customer', convert_to(e.customer, 'UTF8')),
      (9, 'version', convert_to(e.version, 'UTF8')),
      (10, 'objects', (SELECT string_agg(sendpromptly.prefixed_text(o.id), ''::bytea ORDER BY o.n) FROM unnest(e.objects) WITH ORDINALITY AS o(id, n))),
      (11, 'source_event', convert_to(e.source_event, 'UTF8'))
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
CREATE OR REPLACE FUNCTION sendpromptly.commitments(salt bytea, seq integer, fields text[], bodies bytea[]) RETURNS bytea[]
  LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN (SELECT coalesce(array_agg(sha256(sha256(salt || int8send(seq) || convert_to(u.name, 'UTF8')) || u.body) ORDER BY u.n), '{}')
    FROM unnest(fields, bodies) WITH ORDINALITY AS u(name, body, n));
END
$$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.entry_hash(previous bytea, seq integer, kind text, at timestamptz, state text, cause text,
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

SELECT sendpromptly.allow('sendpromptly_operator', 'EXECUTE ON FUNCTION sendpromptly.timeline');
