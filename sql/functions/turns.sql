-- Turns: work that one transaction does at a time, while the others try again later.

-- take_turn says whether the caller's transaction has the turn named by what; it keeps the turn until it ends. The call
-- never waits. The key begins with the schema's name, so that a schema of another name in the same database has turns of its
-- own. The only other advisory lock of ours is the migrator's.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.take_turn(what text) RETURNS boolean
  LANGUAGE sql VOLATILE AS $$
  SELECT pg_catalog.pg_try_advisory_xact_lock(pg_catalog.hashtextextended('sendpromptly ' OPERATOR(pg_catalog.||) what, 0))
$$;
-- +goose StatementEnd
