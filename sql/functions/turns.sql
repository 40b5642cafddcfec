-- Turns: what one transaction at a time does, and the others come back for.

-- take_turn says whether the caller's transaction has the turn of what, until it ends. It never waits. The key begins with
-- the schema's name, so that a schema of another name in the same database has turns of its own. No other lock of ours is an
-- advisory one, but for the migrator's.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.take_turn(what text) RETURNS boolean
  LANGUAGE sql VOLATILE AS $$
  SELECT pg_catalog.pg_try_advisory_xact_lock(pg_catalog.hashtextextended('sendpromptly ' OPERATOR(pg_catalog.||) what, 0))
$$;
-- +goose StatementEnd
