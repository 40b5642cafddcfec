-- Ids for batches, and the first id of a moment. uuid7, which makes a single id, is in the baseline.

-- Many ids of one moment, for batches: a seed, and the nth id after it, by RFC 9562's method 2 (the random part of the seed,
-- counted up by a random stride, so that an id reveals nothing about its neighbours). They sort in the order of their
-- numbers, and cost a quarter of ids that are each random. One bit of the seed is left free, so that counting never reaches
-- the variant: a stride has 40 bits, and a batch has two million ids at most.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.uuid7_seed(at timestamptz, OUT head text, OUT tail bigint, OUT stride bigint)
  LANGUAGE sql VOLATILE AS $$
  SELECT pg_catalog.left(u.hex, 16), (('x' OPERATOR(pg_catalog.||) pg_catalog.right(u.hex, 16))::bit(64)::bigint OPERATOR(pg_catalog.&) -6917529027641081857),
    (('x' OPERATOR(pg_catalog.||) pg_catalog.right(pg_catalog.gen_random_uuid()::text, 10))::bit(40)::bigint OPERATOR(pg_catalog.|) 1)
  FROM (SELECT pg_catalog.encode(pg_catalog.uuid_send(sendpromptly.uuid7(at)), 'hex') AS hex) AS u
$$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.uuid7_nth(head text, tail bigint, stride bigint, n bigint) RETURNS uuid
  LANGUAGE sql IMMUTABLE AS $$
  SELECT (head OPERATOR(pg_catalog.||) pg_catalog.encode(pg_catalog.int8send(tail OPERATOR(pg_catalog.+) (stride OPERATOR(pg_catalog.*) n)), 'hex'))::uuid
$$;
-- +goose StatementEnd

-- The smallest id of version 7 at a moment's millisecond: every id made later is greater.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.uuid7_floor(at timestamptz) RETURNS uuid
  LANGUAGE sql IMMUTABLE AS $$
  SELECT (pg_catalog.encode(pg_catalog.substring(pg_catalog.int8send(
    pg_catalog.round(pg_catalog.date_part('epoch', at) OPERATOR(pg_catalog.*) 1000000)::bigint OPERATOR(pg_catalog./) 1000), 3), 'hex')
    OPERATOR(pg_catalog.||) '70008000000000000000')::uuid
$$;
-- +goose StatementEnd
