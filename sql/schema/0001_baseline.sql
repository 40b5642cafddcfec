-- +goose Up
-- The schema: tables, views, indexes, the function that creates the roles, and only those other functions that a view or the
-- first rows need. The rest are in sql/functions.
--
-- Every unique and primary key of a project's table contains project_id, so that tenants can be distributed by it. There are
-- no foreign keys, because their locks would be taken in the caller's transaction (`spadmin verify` checks instead).
-- projects, engines and cursors are small reference tables.
--
-- How each table is vacuumed, and why:
--   history (effects, entries, terms, chains, seals, incidents, attempts, callbacks, changes, snapshots): at a twentieth instead
--     of Postgres's fifth, because a fifth of a large table is months of dead rows. Inserted rows count too, so that the
--     visibility map keeps up and the space of retention's deletions is soon free again;
--   queues (owed, outbox, deferred_failures, nonces, idempotency, alerts, alert_incidents): nearly every row is deleted. So they
--     are vacuumed by a number of dead rows, not by a share of a table that may just be empty, and without pauses: every
--     query reads the dead entries at the front of an index;
--   single rows that change for ever (engines, seal_cursor, term_cursors): often, and with room in the page, so that
--     each change stays in it;
--   fillfactor is below 100 where rows change in columns that no index has (HOT), and 100 where they never change.
-- A test checks that every table is on one of these lists.

CREATE SCHEMA IF NOT EXISTS sendpromptly;

-- Which of these files have been applied, and which set of functions is installed. Each file adds its own row, so that the
-- engine knows the version whichever tool ran the files. Files and sets share one sequence of numbers. Only a set has hash
-- and functions: the hash of its text, and each name with the hash of its head (see internal/migrate).
CREATE TABLE sendpromptly.migrations (
  version    integer PRIMARY KEY,
  name       text NOT NULL,
  applied_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
  hash       text,
  functions  text[]
);

-- The only clock. Read it as (SELECT sendpromptly.clock()): a bare volatile call in a WHERE clause keeps the planner from
-- using an index. Tests replace it in databases of their own; New, doctor and verify refuse every other body.
-- +goose StatementBegin
CREATE FUNCTION sendpromptly.clock() RETURNS timestamptz
  LANGUAGE sql VOLATILE AS 'SELECT pg_catalog.clock_timestamp()';
-- +goose StatementEnd

-- A UUID of version 7 (RFC 9562): 48 bits of milliseconds, then, by its method 3, 12 bits of the millisecond's fraction, so
-- that ids of one backend sort in the order they were made; the remaining bits are random. They insert at the right edge of
-- an index and reveal no count.
-- +goose StatementBegin
CREATE FUNCTION sendpromptly.uuid7(at timestamptz) RETURNS uuid
  LANGUAGE sql VOLATILE AS $$
  SELECT pg_catalog.encode(pg_catalog.overlay(pg_catalog.uuid_send(pg_catalog.gen_random_uuid()), pg_catalog.int8send(
    ((pg_catalog.round(pg_catalog.date_part('epoch', at) OPERATOR(pg_catalog.*) 1000000)::bigint OPERATOR(pg_catalog./) 1000) OPERATOR(pg_catalog.<<) 16)
    OPERATOR(pg_catalog.|) 28672
    OPERATOR(pg_catalog.|) ((pg_catalog.round(pg_catalog.date_part('epoch', at) OPERATOR(pg_catalog.*) 1000000)::bigint OPERATOR(pg_catalog.%) 1000) OPERATOR(pg_catalog.*) 4096 OPERATOR(pg_catalog./) 1000)), 1, 8), 'hex')::uuid
$$;
-- +goose StatementEnd

-- +goose StatementBegin
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

-- Grants a role its rights, and creates the role if it is missing; the rights in but_not are revoked. The function files
-- call it, as does `spadmin migrate grants`. Roles belong to the whole cluster, not to this database: another database's
-- migration may create them at this very moment, and a managed service may not let us create roles at all. Neither stops a
-- migration; `spadmin doctor` prints what is missing.
-- +goose StatementBegin
CREATE FUNCTION sendpromptly.allow(role text, rights text, but_not text DEFAULT NULL) RETURNS void
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NOT EXISTS (SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = role) THEN
    BEGIN
      EXECUTE format('CREATE ROLE %I NOLOGIN', role);
    EXCEPTION WHEN unique_violation OR duplicate_object OR insufficient_privilege OR internal_error THEN
      NULL;
    END;
  END IF;
  IF NOT EXISTS (SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = role) THEN
    RETURN;
  END IF;
  EXECUTE format('GRANT %s TO %I', rights, role);
  IF but_not IS NOT NULL THEN
    EXECUTE format('REVOKE %s FROM %I', but_not, role);
  END IF;
END
$$;
-- +goose StatementEnd

CREATE TABLE sendpromptly.projects (
  project_id         integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  id                 uuid NOT NULL UNIQUE,
  name               text NOT NULL UNIQUE CHECK (name ~ '^[a-z0-9][a-z0-9_-]{0,62}$'),
  mode               text CHECK (mode IN ('test', 'live')),
  timeout            interval NOT NULL DEFAULT '30 minutes' CHECK (timeout BETWEEN '1 second' AND '30 days'),
  repair_url         text,
  signature_prefix   boolean NOT NULL DEFAULT false,
  public_name        text,
  support_contact    text,
  snapshots          boolean NOT NULL DEFAULT false,
  alert_after_failed interval NOT NULL DEFAULT '2 minutes',
  alert_after_missing interval NOT NULL DEFAULT '0',
  created_at         timestamptz NOT NULL,
  -- null keeps everything. retained_at is when an engine last began retention.
  retention          interval CHECK (retention >= '35 days'),
  retained_at        timestamptz,
  -- The ingest API refuses the API keys of a suspended project. What the app records in its own transactions is never
  -- refused.
  suspended          boolean NOT NULL DEFAULT false
);

-- Callback secrets: the newest signs, together with every older one that has not retired. sealed = encrypted with the
-- deployment's secret key.
CREATE TABLE sendpromptly.callback_secrets (
  project_id integer NOT NULL,
  secret_id  uuid NOT NULL,
  secret     bytea NOT NULL,
  sealed     boolean NOT NULL,
  created_at timestamptz NOT NULL,
  retires_at timestamptz,
  PRIMARY KEY (project_id, secret_id)
);

-- What was promised: one row per effect, kept small, because it is the largest table and the caller's transaction writes it.
-- No column is null, which saves the bitmap: '', the infinities and, for an amount, the smallest bigint mean "unknown".
-- objects are joined by the unit separator, and the most common names are short (see short). source_event is the provider's
-- event that reported the effect, '' if that is event_id. The columns of the unique key are compared as bytes. Read the
-- table through the view receipts.
--
-- After the receipt a row changes at most once: succeeded_at, when the first wait ends in a success. No index has that
-- column, and its place and size are fixed, so that the change stays in its page (HOT) and writes a few bytes; fillfactor
-- leaves the room. Erasing a customer is the only other change.
CREATE TABLE sendpromptly.effects (
  effect_id    uuid NOT NULL,
  accepted_at  timestamptz NOT NULL,
  deadline     timestamptz NOT NULL,
  succeeded_at timestamptz NOT NULL DEFAULT 'infinity',
  occurred_at  timestamptz NOT NULL DEFAULT '-infinity',
  amount       bigint NOT NULL DEFAULT -9223372036854775808,
  project_id   integer NOT NULL,
  provider     text COLLATE "C" NOT NULL,
  effect       text COLLATE "C" NOT NULL,
  event_id     text COLLATE "C" NOT NULL,
  event_type   text NOT NULL DEFAULT '',
  subject      text NOT NULL DEFAULT '',
  merchant     text NOT NULL DEFAULT '',
  currency     text NOT NULL DEFAULT '',
  customer     text NOT NULL DEFAULT '',
  version      text NOT NULL DEFAULT '',
  objects      text NOT NULL DEFAULT '',
  source_event text NOT NULL DEFAULT '',
  PRIMARY KEY (project_id, effect_id)
) WITH (fillfactor = 90, autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);

-- The receipts in their original form.
CREATE VIEW sendpromptly.receipts AS
SELECT e.project_id, e.effect_id, e.accepted_at, e.deadline, nullif(e.succeeded_at, 'infinity') AS succeeded_at,
  nullif(e.occurred_at, '-infinity') AS occurred_at, nullif(e.amount, -9223372036854775808) AS amount,
  sendpromptly.full_name(e.provider) AS provider, sendpromptly.full_name(e.effect) AS effect, e.event_id,
  nullif(sendpromptly.full_name(e.event_type), '') AS event_type, nullif(e.subject, '') AS subject, nullif(e.merchant, '') AS merchant,
  nullif(e.currency, '') AS currency, nullif(e.customer, '') AS customer, nullif(e.version, '') AS version,
  CASE WHEN e.objects <> '' THEN pg_catalog.string_to_array(e.objects, pg_catalog.chr(31)) END AS objects,
  nullif(e.source_event, '') AS source_event
FROM sendpromptly.effects AS e;

-- The event comes first, even before the project: a result on the wire may name only the event. While the table is young,
-- the planner considers any index that begins with the project just as good as the primary key.
CREATE UNIQUE INDEX effects_key ON sendpromptly.effects (event_id, project_id, provider, effect);

-- First deadlines of awaiting effects, and the arbiter between an outcome and the sweep: both delete the row, and the second
-- finds nothing. A row lives for minutes, so the table is small and churns: vacuum it often.
CREATE TABLE sendpromptly.owed (
  deadline   timestamptz NOT NULL,
  effect_id  uuid NOT NULL,
  project_id integer NOT NULL,
  hold_until timestamptz,
  poisoned   text,
  PRIMARY KEY (deadline, project_id, effect_id)
) WITH (fillfactor = 90, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
        autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 20000, autovacuum_vacuum_cost_delay = 0);

-- The timeline, append-only. It does not repeat what the effects row says: the receipt is entry 0, the success that ended
-- the first wait is entry 1, and the others count from 10 (see the function timeline). state is the state that the effect
-- entered by this entry, and null if the signal changed no state.
CREATE TABLE sendpromptly.entries (
  effect_id     uuid NOT NULL,
  entry_id      bigint GENERATED ALWAYS AS IDENTITY (START WITH 10),
  at            timestamptz NOT NULL,
  project_id    integer NOT NULL,
  kind          text NOT NULL,
  state         text,
  cause         text,
  actor         text,
  replay_id     text,
  error_code    text,
  error_message text,
  note          text,
  url           text,
  status        integer,
  duration_ms   integer,
  answer        text,
  PRIMARY KEY (project_id, effect_id, entry_id)
) WITH (fillfactor = 100, autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);

-- If a receipt came again by another event of the provider, the entry's note ends with that event's id (see note_duplicate),
-- and a search for that id finds the effect. The index is not unique, so that no transaction waits for it.
CREATE INDEX entries_source_event ON sendpromptly.entries (project_id, pg_catalog.lower(pg_catalog.substring(note, 'by source event (.+)$')))
  WHERE kind IN ('duplicate', 'mismatch') AND note IS NOT NULL;

-- Receipts that came again with other facts, for their list. They are few, and other entries do not pay for the index.
CREATE INDEX entries_mismatch ON sendpromptly.entries (project_id, entry_id) WHERE kind = 'mismatch';

-- One chain per effect, made when it is first sealed. Erasing destroys the salt of all entries up to erased; the entries
-- after it have the new one.
CREATE TABLE sendpromptly.chains (
  project_id integer NOT NULL,
  effect_id  uuid NOT NULL,
  salt       bytea,
  seq        integer NOT NULL,
  erased     integer NOT NULL DEFAULT 0,
  hash       bytea NOT NULL,
  PRIMARY KEY (project_id, effect_id)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_insert_scale_factor = 0.05);

-- One row per sealed entry. fields and commitments are parallel: the names of the hidden fields, and the commitments that
-- replace their values in the hash. salts are null except for an erased entry: there they are the salts of the fields that
-- were kept.
CREATE TABLE sendpromptly.seals (
  project_id  integer NOT NULL,
  effect_id   uuid NOT NULL,
  seq         integer NOT NULL,
  entry_id    bigint NOT NULL,
  fields      text[] NOT NULL,
  commitments bytea[] NOT NULL,
  salts       bytea[],
  hash        bytea NOT NULL,
  PRIMARY KEY (project_id, effect_id, seq)
) WITH (fillfactor = 100, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_insert_scale_factor = 0.05);

-- Whether an incident in a state is open. It is a plain expression, which Postgres inlines into queries and into the index
-- incidents_open alike, so that they match. It uses the operators of pg_catalog in every search_path.
-- +goose StatementBegin
CREATE FUNCTION sendpromptly.is_open(state text) RETURNS boolean
  LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT state OPERATOR(pg_catalog.=) ANY (ARRAY['failed', 'missing', 'reprocessing'])
$$;
-- +goose StatementEnd

-- The filters of the incident list (engine.IncidentFilter): null matches everything. text is searched for if it names no
-- effect. incident_fits defines what each filter means.
CREATE TYPE sendpromptly.incident_filter AS (
  open          boolean,
  state         text,
  cause         text,
  provider      text,
  event_type    text,
  effect        text,
  term          text,
  customer      text,
  subject       text,
  version       text,
  opened_after  timestamptz,
  opened_before timestamptz,
  text          text
);

-- At most one incident per effect: it reopens. Once it exists its row is the arbiter. incident_id is a UUIDv7 of opened_at,
-- so its order is the list's.
CREATE TABLE sendpromptly.incidents (
  incident_id   uuid NOT NULL,
  effect_id     uuid NOT NULL,
  project_id    integer NOT NULL,
  revision      integer NOT NULL DEFAULT 1,
  attempt       integer NOT NULL DEFAULT 0,
  state         text NOT NULL CHECK (state IN ('failed', 'missing', 'reprocessing', 'applied', 'closed', 'withdrawn')),
  cause         text NOT NULL CHECK (cause IN ('failed', 'missing', 'unreceived')),
  opened_at     timestamptz NOT NULL,
  due_at        timestamptz,
  resolved_at   timestamptz,
  closed_at     timestamptz,
  replay_id     uuid,
  closed_by     text,
  note          text,
  error_code    text,
  error_message text,
  PRIMARY KEY (project_id, incident_id),
  CONSTRAINT incidents_due_while_reprocessing CHECK ((state = 'reprocessing') = (due_at IS NOT NULL))
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_insert_scale_factor = 0.05);

CREATE UNIQUE INDEX incidents_effect ON sendpromptly.incidents (project_id, effect_id);
CREATE INDEX incidents_due ON sendpromptly.incidents (due_at) WHERE due_at IS NOT NULL;
-- state and cause are included so that counting reads only the index.
CREATE INDEX incidents_open ON sendpromptly.incidents (project_id, incident_id) INCLUDE (state, cause) WHERE sendpromptly.is_open(state);

-- One row per reprocess request of an operator.
CREATE TABLE sendpromptly.attempts (
  project_id   integer NOT NULL,
  replay_id    uuid NOT NULL,
  incident_id  uuid NOT NULL,
  number       integer NOT NULL,
  operator     text NOT NULL,
  requested_at timestamptz NOT NULL,
  finished_at  timestamptz,
  result       text CHECK (result IN ('applied', 'failed', 'missing', 'gave_up', 'stopped', 'withdrawn')),
  PRIMARY KEY (project_id, replay_id),
  CONSTRAINT attempts_number UNIQUE (project_id, incident_id, number)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_insert_scale_factor = 0.05);

-- The delivery of one attempt: reprocess writes the row, work_waiting sees that it is due, claim_callbacks leases it,
-- complete_callback records the answer. next_at is when it may be claimed: the next try while waiting, the end of the lease
-- while leased.
CREATE TABLE sendpromptly.callbacks (
  project_id  integer NOT NULL,
  replay_id   uuid NOT NULL,
  incident_id uuid NOT NULL,
  effect_id   uuid NOT NULL,
  state       text NOT NULL CHECK (state IN ('waiting', 'leased', 'accepted', 'gave_up', 'cancelled')),
  try         integer NOT NULL DEFAULT 0,
  next_at     timestamptz NOT NULL,
  lease_token uuid,
  nonce       text,
  signed_at   timestamptz,
  PRIMARY KEY (project_id, replay_id)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_insert_scale_factor = 0.05);

CREATE INDEX callbacks_live ON sendpromptly.callbacks (project_id, next_at) WHERE state IN ('waiting', 'leased');

-- Nonces that the repair handlers have seen, with their answers.
CREATE TABLE sendpromptly.nonces (
  project_id integer NOT NULL,
  nonce      text NOT NULL,
  replay_id  uuid NOT NULL,
  body_hash  bytea NOT NULL,
  status     integer NOT NULL,
  answer     text NOT NULL,
  expires_at timestamptz NOT NULL,
  PRIMARY KEY (project_id, nonce)
) WITH (fillfactor = 100, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);

CREATE INDEX nonces_replay ON sendpromptly.nonces (project_id, replay_id);
CREATE INDEX nonces_expiry ON sendpromptly.nonces (expires_at);

-- Failures whose arbiter was locked when they were reported.
CREATE TABLE sendpromptly.deferred_failures (
  project_id    integer NOT NULL,
  deferred_id   bigint GENERATED ALWAYS AS IDENTITY,
  effect_id     uuid NOT NULL,
  at            timestamptz NOT NULL,
  not_before    timestamptz NOT NULL,
  replay_id     text,
  error_code    text,
  error_message text,
  PRIMARY KEY (project_id, deferred_id)
) WITH (fillfactor = 100, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);

CREATE INDEX deferred_failures_due ON sendpromptly.deferred_failures (not_before);

-- Alerts to send, one row per opened incident, written in the call that opened it.
CREATE TABLE sendpromptly.outbox (
  due_at      timestamptz NOT NULL,
  incident_id uuid NOT NULL,
  project_id  integer NOT NULL,
  PRIMARY KEY (due_at, project_id, incident_id)
) WITH (fillfactor = 100, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);

-- What changed, for feeds: incidents, attempts and settings only. Feeds read it in the order of (xid, seq); see the query
-- ChangesAfter.
CREATE TABLE sendpromptly.changes (
  xid        xid8 NOT NULL DEFAULT pg_catalog.pg_current_xact_id(),
  seq        bigint GENERATED ALWAYS AS IDENTITY,
  subject_id uuid NOT NULL,
  at         timestamptz NOT NULL,
  project_id integer NOT NULL,
  kind       text NOT NULL CHECK (kind IN ('incident', 'attempt', 'settings')),
  what       text NOT NULL,
  PRIMARY KEY (xid, seq, project_id)
) WITH (fillfactor = 100, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_insert_scale_factor = 0.05);

-- Payload snapshots, encrypted by the caller. Off by default.
CREATE TABLE sendpromptly.snapshots (
  project_id integer NOT NULL,
  effect_id  uuid NOT NULL,
  purge_at   timestamptz NOT NULL,
  sealed     bytea NOT NULL,
  PRIMARY KEY (project_id, effect_id)
) WITH (fillfactor = 100, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_insert_scale_factor = 0.05);

CREATE INDEX snapshots_purge ON sendpromptly.snapshots (purge_at);

-- What support searches by: subject, customer, source event and the provider's object ids, lower case. The engine's index
-- step adds them after the caller's commit.
CREATE TABLE sendpromptly.terms (
  project_id integer NOT NULL,
  term       text NOT NULL,
  effect_id  uuid NOT NULL,
  PRIMARY KEY (project_id, term, effect_id)
) WITH (fillfactor = 100, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_insert_scale_factor = 0.05);

-- How far the index step has come in each project: terms contains every effect up to effect_id. The mark says when effect_id
-- may move on (see index_terms).
CREATE TABLE sendpromptly.term_cursors (
  project_id integer PRIMARY KEY,
  effect_id  uuid NOT NULL,
  mark_at    timestamptz,
  mark_xid   xid8
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);

-- How far the seal step has come in changes.
CREATE TABLE sendpromptly.seal_cursor (
  singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
  xid  xid8 NOT NULL,
  seq  bigint NOT NULL
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);
INSERT INTO sendpromptly.seal_cursor (xid, seq) VALUES ('0', 0);

-- Heartbeats of running engines.
CREATE TABLE sendpromptly.engines (
  engine_id      uuid PRIMARY KEY,
  version        text NOT NULL,
  host           text NOT NULL,
  started_at     timestamptz NOT NULL,
  seen_at        timestamptz NOT NULL,
  last_sweep_at  timestamptz,
  lag            interval,
  overdue_locked integer NOT NULL DEFAULT 0,
  sweep_seconds  double precision NOT NULL DEFAULT 0
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);

-- What operators did outside a timeline: settings, keys, people. project_id 0 means the whole deployment.
CREATE TABLE sendpromptly.audit (
  project_id integer NOT NULL,
  audit_id   uuid NOT NULL,
  at         timestamptz NOT NULL,
  actor      text NOT NULL,
  action     text NOT NULL,
  subject    text NOT NULL,
  detail     text,
  PRIMARY KEY (project_id, audit_id)
);

-- The audit log of the whole deployment, newest first.
CREATE INDEX audit_recent ON sendpromptly.audit (audit_id);

-- audience is a note for the team, such as "dispute 12 at the bank". head_seq and head_hash are the chain's head in the
-- token. A row is never deleted, and an effect with a proof is never removed (see proof_bearing).
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

-- Access: API keys of projects, operators with their login links and sessions, and tokens. Only the SHA-256 of each secret
-- is stored; the secrets are random and long, so nothing slower is needed. operators, login_links, sessions and tokens
-- belong to the whole deployment: they are small reference tables, like projects. Their rows change in columns that no index
-- has, so pages have room for that.

-- What an app that cannot share the transaction sends with its receipts and results.
CREATE TABLE sendpromptly.api_keys (
  project_id   integer NOT NULL,
  key_id       uuid NOT NULL,
  key_hash     bytea NOT NULL,
  ending       text NOT NULL,
  label        text NOT NULL,
  created_at   timestamptz NOT NULL,
  created_by   text NOT NULL,
  last_used_at timestamptz,
  revoked_at   timestamptz,
  PRIMARY KEY (project_id, key_id)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);

-- The hash comes first: a caller that sends a key names no project.
CREATE UNIQUE INDEX api_keys_hash ON sendpromptly.api_keys (key_hash, project_id);

-- email is lower case. Sessions that began before created_at are invalid: an operator who was removed and invited again has
-- to log in again. vouched: the role comes from the identity provider, and is valid only while the provider asserts one.
CREATE TABLE sendpromptly.operators (
  email         text PRIMARY KEY,
  role          text NOT NULL CHECK (role IN ('viewer', 'operator', 'admin')),
  vouched       boolean NOT NULL DEFAULT false,
  created_at    timestamptz NOT NULL,
  created_by    text NOT NULL,
  last_login_at timestamptz
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);

-- One-time links. Using one deletes it.
CREATE TABLE sendpromptly.login_links (
  link_hash  bytea PRIMARY KEY,
  email      text NOT NULL,
  created_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL
) WITH (fillfactor = 100, autovacuum_vacuum_scale_factor = 0.05);

CREATE INDEX login_links_email ON sendpromptly.login_links (email);

-- expires_at is the idle limit, which use extends; the absolute limit counts from the login, which is in data.
CREATE TABLE sendpromptly.sessions (
  session_hash bytea PRIMARY KEY,
  data         bytea NOT NULL,
  expires_at   timestamptz NOT NULL
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);

-- project_id 0 is for all projects.
CREATE TABLE sendpromptly.tokens (
  token_id     uuid PRIMARY KEY,
  token_hash   bytea NOT NULL UNIQUE,
  ending       text NOT NULL,
  label        text NOT NULL,
  role         text NOT NULL CHECK (role IN ('viewer', 'operator', 'admin')),
  project_id   integer NOT NULL DEFAULT 0,
  created_at   timestamptz NOT NULL,
  created_by   text NOT NULL,
  expires_at   timestamptz,
  last_used_at timestamptz,
  revoked_at   timestamptz
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);

-- Answers by Idempotency-Key, kept for 24 hours. project_id 0 means the whole deployment.
CREATE TABLE sendpromptly.idempotency (
  project_id integer NOT NULL,
  endpoint   text NOT NULL,
  key        text NOT NULL,
  body_hash  bytea NOT NULL,
  status     integer NOT NULL CHECK (status BETWEEN 200 AND 299),
  answer     bytea NOT NULL,
  expires_at timestamptz NOT NULL,
  PRIMARY KEY (project_id, endpoint, key)
) WITH (fillfactor = 100, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);

CREATE INDEX idempotency_expiry ON sendpromptly.idempotency (expires_at);

-- Where a project's alerts go. target is an address or URL, and may be a secret itself; secret signs webhooks. sealed = both
-- are encrypted with the deployment's secret key. shown is the part of the target that a list may show.
CREATE TABLE sendpromptly.alert_destinations (
  project_id integer NOT NULL,
  channel    text NOT NULL CHECK (channel IN ('email', 'slack', 'webhook')),
  target     bytea NOT NULL,
  secret     bytea,
  sealed     boolean NOT NULL,
  shown      text NOT NULL,
  PRIMARY KEY (project_id, channel)
);

-- The delivery of one message to one destination. next_at is when it may be
-- claimed: the next try while waiting, the end of the lease while leased.
CREATE TABLE sendpromptly.alerts (
  project_id  integer NOT NULL,
  alert_id    uuid NOT NULL,
  channel     text NOT NULL,
  made_at     timestamptz NOT NULL,
  next_at     timestamptz NOT NULL,
  state       text NOT NULL CHECK (state IN ('waiting', 'leased', 'sent', 'dropped', 'gave_up')),
  try         integer NOT NULL DEFAULT 0,
  lease_token uuid,
  error       text,
  PRIMARY KEY (project_id, alert_id, channel)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);

CREATE INDEX alerts_live ON sendpromptly.alerts (next_at) WHERE state IN ('waiting', 'leased');
CREATE INDEX alerts_age ON sendpromptly.alerts (made_at);

-- The incidents that a message is about.
CREATE TABLE sendpromptly.alert_incidents (
  project_id  integer NOT NULL,
  alert_id    uuid NOT NULL,
  incident_id uuid NOT NULL,
  PRIMARY KEY (project_id, alert_id, incident_id)
) WITH (fillfactor = 100, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);

-- One bucket per minute and project. count_receipts and fold_statistics update it off the caller's path: it may lag behind a
-- long transaction.
CREATE TABLE sendpromptly.statistics (
  project_id integer NOT NULL,
  bucket     timestamptz NOT NULL,
  receipts   integer NOT NULL DEFAULT 0,
  opened     integer NOT NULL DEFAULT 0,
  recovered  integer NOT NULL DEFAULT 0,
  closed     integer NOT NULL DEFAULT 0,
  PRIMARY KEY (project_id, bucket)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);

-- One row per incident that a success resolved, by the time of that success.
CREATE TABLE sendpromptly.recoveries (
  project_id  integer NOT NULL,
  at          timestamptz NOT NULL,
  incident_id uuid NOT NULL,
  seconds     double precision NOT NULL,
  PRIMARY KEY (project_id, at, incident_id)
) WITH (fillfactor = 100, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_insert_scale_factor = 0.05);

-- How far fold_statistics has come in changes.
CREATE TABLE sendpromptly.statistics_cursor (
  singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
  xid  xid8 NOT NULL,
  seq  bigint NOT NULL
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02);
INSERT INTO sendpromptly.statistics_cursor (xid, seq) VALUES ('0', 0);

-- A plan is a bulk action over a frozen set of incidents. Once started, it acts on each incident only if that has not
-- changed since the set was frozen.
CREATE TABLE sendpromptly.plans (
  project_id  integer NOT NULL,
  plan_id     uuid NOT NULL,
  action      text NOT NULL CHECK (action IN ('reprocess', 'close')),
  filter      text NOT NULL,
  note        text,
  size        integer NOT NULL,
  created_at  timestamptz NOT NULL,
  created_by  text NOT NULL,
  started_at  timestamptz,
  started_by  text,
  finished_at timestamptz,
  stopped_by  text,
  PRIMARY KEY (project_id, plan_id),
  CONSTRAINT plans_close_with_a_note CHECK (action <> 'close' OR note IS NOT NULL)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05);

CREATE INDEX plans_running ON sendpromptly.plans (project_id, plan_id) WHERE started_at IS NOT NULL AND finished_at IS NULL;

-- outcome is null while the incident waits for its turn.
CREATE TABLE sendpromptly.plan_items (
  project_id  integer NOT NULL,
  plan_id     uuid NOT NULL,
  incident_id uuid NOT NULL,
  revision    integer NOT NULL,
  outcome     text CHECK (outcome IN ('requested', 'closed', 'changed', 'refused', 'error', 'stopped')),
  replay_id   uuid,
  PRIMARY KEY (project_id, plan_id, incident_id)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05);

CREATE INDEX plan_items_waiting ON sendpromptly.plan_items (project_id, plan_id, incident_id) WHERE outcome IS NULL;

-- Filters that a team saves by name.
CREATE TABLE sendpromptly.saved_views (
  project_id integer NOT NULL,
  view_id    uuid NOT NULL,
  name       text NOT NULL,
  filter     text NOT NULL,
  created_by text NOT NULL,
  created_at timestamptz NOT NULL,
  PRIMARY KEY (project_id, view_id),
  CONSTRAINT saved_views_name UNIQUE (project_id, name)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05);

-- The project that every app may use without setup.
INSERT INTO sendpromptly.projects (id, name, created_at)
SELECT sendpromptly.uuid7(now), 'default', now FROM (SELECT sendpromptly.clock() AS now) AS c;

-- PUBLIC has no permissions; sql/functions grants the roles theirs.
REVOKE ALL ON SCHEMA sendpromptly FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA sendpromptly FROM PUBLIC;
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA sendpromptly FROM PUBLIC;
INSERT INTO sendpromptly.migrations (version, name) VALUES (1, 'baseline');
