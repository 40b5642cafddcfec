-- name: EngineList :many
-- EngineList reads the heartbeats, newest first; alive means seen within the last 30 seconds.
SELECT e.engine_id, e.version, e.host, e.started_at, e.seen_at, e.last_sweep_at, coalesce(extract(epoch FROM e.lag), 0)::float8 AS lag_seconds,
  e.overdue_locked, (e.seen_at > (SELECT sendpromptly.clock()) - interval '30 seconds')::boolean AS alive
FROM sendpromptly.engines AS e ORDER BY e.seen_at DESC LIMIT 100;

-- name: SchemaFingerprint :many
-- SchemaFingerprint describes every function, column and index of the schema, one line each.
SELECT ('function ' || p.proname || '(' || pg_catalog.pg_get_function_identity_arguments(p.oid) || ') ' || md5(p.prosrc) ||
  CASE WHEN p.prosecdef THEN ' definer' ELSE '' END || coalesce(' ' || array_to_string(p.proconfig, ' '), ''))::text AS line
FROM pg_catalog.pg_proc AS p WHERE p.pronamespace = 'sendpromptly'::regnamespace AND p.prokind = 'f'
UNION ALL
SELECT ('public may execute ' || p.proname)::text FROM pg_catalog.pg_proc AS p
WHERE p.pronamespace = 'sendpromptly'::regnamespace AND has_function_privilege('public', p.oid, 'EXECUTE')
UNION ALL
SELECT ('column ' || c.relname || '.' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod) || CASE WHEN a.attnotnull THEN ' not null' ELSE '' END)::text
FROM pg_catalog.pg_attribute AS a JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid
WHERE c.relnamespace = 'sendpromptly'::regnamespace AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped
UNION ALL
SELECT ('index ' || x.indexdef)::text FROM pg_catalog.pg_indexes AS x WHERE x.schemaname = 'sendpromptly';

-- name: SchemaAdditionList :many
-- SchemaAdditionList reads the triggers, rules and foreign keys that others added to the schema's tables, the foreign keys that refer to them (from_outside), and the statement that removes each.
SELECT format('trigger %I on %I', g.tgname, c.relname)::text AS addition, format('DROP TRIGGER %I ON sendpromptly.%I;', g.tgname, c.relname)::text AS removal,
  false AS from_outside
FROM pg_catalog.pg_trigger AS g JOIN pg_catalog.pg_class AS c ON c.oid = g.tgrelid
WHERE c.relnamespace = 'sendpromptly'::regnamespace AND NOT g.tgisinternal
UNION ALL
SELECT format('rule %I on %I', w.rulename, c.relname)::text, format('DROP RULE %I ON sendpromptly.%I;', w.rulename, c.relname)::text, false
FROM pg_catalog.pg_rewrite AS w JOIN pg_catalog.pg_class AS c ON c.oid = w.ev_class
WHERE c.relnamespace = 'sendpromptly'::regnamespace AND c.relkind IN ('r', 'p')
UNION ALL
SELECT format('foreign key %I of %I', o.conname, c.relname)::text, format('ALTER TABLE sendpromptly.%I DROP CONSTRAINT %I;', c.relname, o.conname)::text, false
FROM pg_catalog.pg_constraint AS o JOIN pg_catalog.pg_class AS c ON c.oid = o.conrelid
WHERE c.relnamespace = 'sendpromptly'::regnamespace AND o.contype = 'f' AND o.conparentid = 0
UNION ALL
SELECT format('foreign key %I of %I.%I refers to %I', o.conname, n.nspname, c.relname, t.relname)::text,
  format('ALTER TABLE %I.%I DROP CONSTRAINT %I;', n.nspname, c.relname, o.conname)::text, true
FROM pg_catalog.pg_constraint AS o JOIN pg_catalog.pg_class AS t ON t.oid = o.confrelid
  JOIN pg_catalog.pg_class AS c ON c.oid = o.conrelid JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE t.relnamespace = 'sendpromptly'::regnamespace AND c.relnamespace <> 'sendpromptly'::regnamespace AND o.contype = 'f' AND o.conparentid = 0
ORDER BY 1;

-- name: RoleList :many
-- RoleList reads which of the three roles exist.
SELECT r.rolname::text AS name FROM pg_catalog.pg_roles AS r WHERE r.rolname LIKE 'sendpromptly\_%' ORDER BY r.rolname;

-- name: ServerState :one
-- ServerState reads what doctor checks: settings, the clock, and how long the oldest transaction has run.
SELECT clock_timestamp()::timestamptz AS now, current_setting('server_version_num')::int AS version_num,
  current_setting('server_encoding')::text AS encoding, current_setting('autovacuum')::text AS autovacuum,
  current_setting('fsync')::text AS fsync,
  coalesce((SELECT extract(epoch FROM clock_timestamp() - min(a.xact_start)) FROM pg_catalog.pg_stat_activity AS a
    WHERE a.backend_xid IS NOT NULL OR a.datname = current_database()), 0)::float8 AS oldest_transaction;

-- name: SecretsReadable :one
-- SecretsReadable says whether this role may read callback secrets.
SELECT has_table_privilege('sendpromptly.callback_secrets', 'SELECT')::boolean AS readable;

-- name: SecretList :many
-- SecretList reads the callback secrets of all projects that have not retired.
SELECT s.project_id, s.secret, s.sealed FROM sendpromptly.callback_secrets AS s WHERE s.retires_at IS NULL;

-- name: SecretlessCount :one
-- SecretlessCount counts projects with a repair URL and no callback secret.
SELECT count(*)::int AS projects FROM sendpromptly.projects AS p
WHERE p.repair_url IS NOT NULL AND NOT EXISTS (
  SELECT 1 FROM sendpromptly.callback_secrets AS s WHERE s.project_id = p.project_id AND s.retires_at IS NULL);

-- name: BacklogCount :one
-- BacklogCount counts the waiting work of each kind, up to 100,001.
SELECT (SELECT count(*) FROM (SELECT 1 FROM sendpromptly.owed LIMIT 100001) AS a)::int AS owed,
  (SELECT count(*) FROM (SELECT 1 FROM sendpromptly.owed AS o WHERE o.deadline < (SELECT sendpromptly.clock()) - interval '65 seconds' LIMIT 100001) AS b)::int AS overdue,
  (SELECT count(*) FROM (SELECT 1 FROM sendpromptly.owed AS o WHERE o.poisoned IS NOT NULL LIMIT 100001) AS c)::int AS set_aside,
  (SELECT count(*) FROM (SELECT 1 FROM sendpromptly.deferred_failures AS d WHERE d.not_before < (SELECT sendpromptly.clock()) - interval '65 seconds' LIMIT 100001) AS e)::int AS deferred;
