-- +goose Up
-- The schema, its roles, the clock and ids.

CREATE SCHEMA IF NOT EXISTS sendpromptly;

-- Which of these files have been applied. Each adds itself, so that the engine
-- knows where it stands whichever tool ran them.
CREATE TABLE sendpromptly.migrations (
  version    integer PRIMARY KEY,
  name       text NOT NULL,
  applied_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp()
);

-- Roles belong to the whole cluster, not to this database: another database's
-- migration may create them at this very moment, and a managed service may not
-- let us create roles at all. Neither stops a migration; `spadmin doctor`
-- prints what is missing.
-- +goose StatementBegin
DO $$
DECLARE
  v_role text;
BEGIN
  FOREACH v_role IN ARRAY ARRAY['sendpromptly_app', 'sendpromptly_engine', 'sendpromptly_operator'] LOOP
    IF NOT EXISTS (SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = v_role) THEN
      BEGIN
        EXECUTE pg_catalog.format('CREATE ROLE %I NOLOGIN', v_role);
      EXCEPTION WHEN unique_violation OR duplicate_object OR insufficient_privilege OR internal_error THEN
        NULL;
      END;
    END IF;
  END LOOP;
END
$$;
-- +goose StatementEnd

-- The only clock. Read it as (SELECT sendpromptly.clock()): a bare volatile
-- call in a WHERE clause keeps the planner from using an index. Tests replace
-- it in databases of their own; every other body is refused by New, doctor and verify.
CREATE FUNCTION sendpromptly.clock() RETURNS timestamptz
  LANGUAGE sql VOLATILE AS 'SELECT pg_catalog.clock_timestamp()';

-- A UUID of version 7 (RFC 9562): 48 bits of milliseconds, then, by its method 3, 12 bits of the millisecond's fraction,
-- so that ids of one backend sort as they were made; the rest is random. They insert at the right edge of an index and
-- reveal no count.
-- +goose StatementBegin
CREATE FUNCTION sendpromptly.uuid7(at timestamptz) RETURNS uuid
  LANGUAGE sql VOLATILE AS $$
  SELECT pg_catalog.encode(pg_catalog.overlay(pg_catalog.uuid_send(pg_catalog.gen_random_uuid()), pg_catalog.int8send(
    ((pg_catalog.round(pg_catalog.date_part('epoch', at) OPERATOR(pg_catalog.*) 1000000)::bigint OPERATOR(pg_catalog./) 1000) OPERATOR(pg_catalog.<<) 16)
    OPERATOR(pg_catalog.|) 28672
    OPERATOR(pg_catalog.|) ((pg_catalog.round(pg_catalog.date_part('epoch', at) OPERATOR(pg_catalog.*) 1000000)::bigint OPERATOR(pg_catalog.%) 1000) OPERATOR(pg_catalog.*) 4096 OPERATOR(pg_catalog./) 1000)), 1, 8), 'hex')::uuid
$$;
-- +goose StatementEnd

-- Many ids of one moment, for batches: a seed, and the nth id after it, by RFC 9562's method 2 (the random part of the
-- seed, counted up by a random stride, so that an id tells nothing of its neighbours). They sort as they are numbered, and
-- cost a quarter of ids that are random each. One bit of the seed is left free, so that counting never reaches the
-- variant: a stride has 40 bits, and a batch has two million ids at most.
-- +goose StatementBegin
CREATE FUNCTION sendpromptly.uuid7_seed(at timestamptz, OUT head text, OUT tail bigint, OUT stride bigint)
  LANGUAGE sql VOLATILE AS $$
  SELECT pg_catalog.left(u.hex, 16), (('x' OPERATOR(pg_catalog.||) pg_catalog.right(u.hex, 16))::bit(64)::bigint OPERATOR(pg_catalog.&) -6917529027641081857),
    (('x' OPERATOR(pg_catalog.||) pg_catalog.right(pg_catalog.gen_random_uuid()::text, 10))::bit(40)::bigint OPERATOR(pg_catalog.|) 1)
  FROM (SELECT pg_catalog.encode(pg_catalog.uuid_send(sendpromptly.uuid7(at)), 'hex') AS hex) AS u
$$;

CREATE FUNCTION sendpromptly.uuid7_nth(head text, tail bigint, stride bigint, n bigint) RETURNS uuid
  LANGUAGE sql IMMUTABLE AS $$
  SELECT (head OPERATOR(pg_catalog.||) pg_catalog.encode(pg_catalog.int8send(tail OPERATOR(pg_catalog.+) (stride OPERATOR(pg_catalog.*) n)), 'hex'))::uuid
$$;
-- +goose StatementEnd

-- The smallest id of version 7 at a moment's millisecond: every id made later is greater.
-- +goose StatementBegin
CREATE FUNCTION sendpromptly.uuid7_floor(at timestamptz) RETURNS uuid
  LANGUAGE sql IMMUTABLE AS $$
  SELECT (pg_catalog.encode(pg_catalog.substring(pg_catalog.int8send(
    pg_catalog.round(pg_catalog.date_part('epoch', at) OPERATOR(pg_catalog.*) 1000000)::bigint OPERATOR(pg_catalog./) 1000), 3), 'hex')
    OPERATOR(pg_catalog.||) '70008000000000000000')::uuid
$$;
-- +goose StatementEnd

-- Names that nearly every row carries are stored as one character, in rows and
-- in their unique index. short is for ever: a character, once given, never
-- changes its meaning. Every other name is stored as it is, behind "=" where it
-- could be taken for a short one. The view receipts shows the full names. One
-- look into an object, because a CASE of eighteen branches is built anew for
-- every statement that calls the function, which takes longer than to run it.
-- +goose StatementBegin
CREATE FUNCTION sendpromptly.short(name text) RETURNS text
  LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT coalesce(pg_catalog.jsonb_object_field_text('{"stripe": "s", "shopify": "h", "access_unlock": "u", "credit_grant": "g", "seat_update": "e",
    "subscription_state_apply": "b", "access_revocation": "r", "credit_deduction": "d",
    "checkout.session.completed": "c", "invoice.paid": "i", "customer.subscription.deleted": "x",
    "customer.subscription.updated": "t", "charge.refunded": "f", "charge.dispute.created": "p", "orders/paid": "o",
    "orders/fulfilled": "l", "customers/create": "m", "checkouts/create": "k"}', name),
    CASE WHEN pg_catalog.length(name) OPERATOR(pg_catalog.=) 1 OR name OPERATOR(pg_catalog.^@) '=' THEN '=' OPERATOR(pg_catalog.||) name ELSE name END)
$$;

CREATE FUNCTION sendpromptly.full_name(short text) RETURNS text
  LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT coalesce(pg_catalog.jsonb_object_field_text('{"s": "stripe", "h": "shopify", "u": "access_unlock", "g": "credit_grant", "e": "seat_update",
    "b": "subscription_state_apply", "r": "access_revocation", "d": "credit_deduction",
    "c": "checkout.session.completed", "i": "invoice.paid", "x": "customer.subscription.deleted",
    "t": "customer.subscription.updated", "f": "charge.refunded", "p": "charge.dispute.created", "o": "orders/paid",
    "l": "orders/fulfilled", "m": "customers/create", "k": "checkouts/create"}', short),
    CASE WHEN short OPERATOR(pg_catalog.^@) '=' THEN pg_catalog.substr(short, 2) ELSE short END)
$$;
-- +goose StatementEnd

REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA sendpromptly FROM PUBLIC;
INSERT INTO sendpromptly.migrations (version, name) VALUES (1, 'foundation');
