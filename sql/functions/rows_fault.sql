-- How a poisonous row is distinguished from a server that is in trouble.

-- Whether Postgres refused because of the data itself: raised errors (P0), bad data (22), constraint violations (23), index
-- limits (54).
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.rows_fault(code text) RETURNS boolean
  LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT left(code, 2) IN ('P0', '22', '23', '54')
$$;
-- +goose StatementEnd
