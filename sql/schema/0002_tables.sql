-- +goose Up
-- The tables. Every unique and primary key of a project's table holds
-- project_id, so that tenants can be distributed by it; there are no foreign
-- keys, because their locks would sit in the caller's transaction (`spadmin
-- verify` checks instead). projects, engines and cursors are small reference tables.
--
-- How each table is vacuumed, and why:
--   history (effects, entries, terms, chains, seals, incidents, attempts, callbacks, changes, snapshots): at a twentieth instead of
--     Postgres's fifth, because a fifth of a large table is months of dead rows, and inserted rows too, so that the
--     visibility map keeps up and retention's deletions are soon room again;
--   queues (owed, outbox, deferred_failures, nonces, idempotency, alerts, alert_incidents): nearly every row is deleted, so by a number of dead rows
--     and not by a share of a table that may just be empty, and without pauses: what is dead at the front of an index
--     is read by every look at it;
--   single rows that change for ever (engines, seal_cursor, term_cursors): often, and with room in the page, so that
--     each change stays in it;
--   fillfactor below 100 where rows change in columns that no index holds (HOT), 100 where they never change.
-- A test holds every table to one of these lists.

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
  created_at         timestamptz NOT NULL
);

-- Callback secrets: the newest signs, together with every older one that has
-- not yet retired. sealed = encrypted with the deployment's secret key.
CREATE TABLE sendpromptly.callback_secrets (
  project_id integer NOT NULL,
  secret_id  uuid NOT NULL,
  secret     bytea NOT NULL,
  sealed     boolean NOT NULL,
  created_at timestamptz NOT NULL,
  retires_at timestamptz,
  PRIMARY KEY (project_id, secret_id)
);

-- What was promised: one row an effect, kept small, because it is the largest
-- table and the caller's transaction writes it. Nothing is null, which saves the
-- bitmap: '' and the infinities stand for "unknown", objects are joined by the
-- unit separator, and the commonest names are short (see short). What is compared
-- in the unique key is compared as bytes. Read it through the view receipts.
--
-- After the receipt a row changes once at most: succeeded_at, when the first wait
-- ends in a success. The column is in no index and of a fixed place and size, so
-- that the change stays in its page (HOT) and writes a few bytes; fillfactor
-- leaves the room. Erasing a customer is the only other change.
CREATE TABLE sendpromptly.effects (
  effect_id    uuid NOT NULL,
  accepted_at  timestamptz NOT NULL,
  deadline     timestamptz NOT NULL,
  succeeded_at timestamptz NOT NULL DEFAULT 'infinity',
  occurred_at  timestamptz NOT NULL DEFAULT '-infinity',
  amount       bigint NOT NULL DEFAULT 0,
  project_id   integer NOT NULL,
  provider     text COLLATE "C" NOT NULL,
  effect       text COLLATE "C" NOT NULL,
  event_id     text COLLATE "C" NOT NULL,
  event_type   text NOT NULL DEFAULT '',
  subject      text NOT NULL DEFAULT '',
  shop         text NOT NULL DEFAULT '',
  currency     text NOT NULL DEFAULT '',
  customer     text NOT NULL DEFAULT '',
  version      text NOT NULL DEFAULT '',
  objects      text NOT NULL DEFAULT '',
  PRIMARY KEY (project_id, effect_id)
) WITH (fillfactor = 90, autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);

-- What was accepted, as it was given.
CREATE VIEW sendpromptly.receipts AS
SELECT e.project_id, e.effect_id, e.accepted_at, e.deadline, nullif(e.succeeded_at, 'infinity') AS succeeded_at,
  nullif(e.occurred_at, '-infinity') AS occurred_at, CASE WHEN e.amount <> 0 OR e.currency <> '' THEN e.amount END AS amount,
  sendpromptly.full_name(e.provider) AS provider, sendpromptly.full_name(e.effect) AS effect, e.event_id,
  nullif(sendpromptly.full_name(e.event_type), '') AS event_type, nullif(e.subject, '') AS subject, nullif(e.shop, '') AS shop,
  nullif(e.currency, '') AS currency, nullif(e.customer, '') AS customer, nullif(e.version, '') AS version,
  CASE WHEN e.objects <> '' THEN pg_catalog.string_to_array(e.objects, pg_catalog.chr(31)) END AS objects
FROM sendpromptly.effects AS e;

-- Event first, before even the project: a result on the wire may name the event
-- only, and while the table is young the planner takes any index that begins
-- with the project for as good as the primary key.
CREATE UNIQUE INDEX effects_key ON sendpromptly.effects (event_id, project_id, provider, effect);

-- First deadlines of awaiting effects, and the arbiter between an outcome and
-- the sweep: both delete the row, whoever comes second finds nothing. A row
-- lives for minutes, so the table is small and churns: vacuum it often.
CREATE TABLE sendpromptly.owed (
  deadline   timestamptz NOT NULL,
  effect_id  uuid NOT NULL,
  project_id integer NOT NULL,
  hold_until timestamptz,
  poisoned   text,
  PRIMARY KEY (deadline, project_id, effect_id)
) WITH (fillfactor = 90, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
        autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 20000, autovacuum_vacuum_cost_delay = 0);

-- The timeline, append-only. What the effects row says is not repeated here: the
-- receipt is entry 0, the success that ended the first wait is entry 1, and the
-- others count from 10 (see the function timeline). state is the state that the effect entered by this
-- entry, and null where the signal moved nothing.
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

-- One chain an effect, made when it is first sealed. Erasing destroys the salt
-- of all entries up to erased; the entries after it have the new one.
CREATE TABLE sendpromptly.chains (
  project_id integer NOT NULL,
  effect_id  uuid NOT NULL,
  salt       bytea,
  seq        integer NOT NULL,
  erased     integer NOT NULL DEFAULT 0,
  hash       bytea NOT NULL,
  PRIMARY KEY (project_id, effect_id)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_insert_scale_factor = 0.05);

-- One row a sealed entry. fields and commitments run in parallel: the hidden
-- fields by name, and what stands for their values in the hash. salts are null
-- but for an erased entry: there they are those of the fields that were kept.
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

-- At most one incident an effect, for ever: it reopens. Once it exists its row
-- is the arbiter. incident_id is a UUIDv7 of opened_at, so its order is the list's.
CREATE TABLE sendpromptly.incidents (
  incident_id   uuid NOT NULL,
  effect_id     uuid NOT NULL,
  project_id    integer NOT NULL,
  revision      integer NOT NULL DEFAULT 1,
  attempt       integer NOT NULL DEFAULT 0,
  state         text NOT NULL CHECK (state IN ('failed', 'missing', 'reprocessing', 'applied', 'closed')),
  cause         text NOT NULL CHECK (cause IN ('failed', 'missing')),
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
-- state and cause are there so that counting reads the index alone.
CREATE INDEX incidents_open ON sendpromptly.incidents (project_id, incident_id) INCLUDE (state, cause) WHERE state IN ('failed', 'missing', 'reprocessing');

-- One row an asking by an operator.
CREATE TABLE sendpromptly.attempts (
  project_id   integer NOT NULL,
  replay_id    uuid NOT NULL,
  incident_id  uuid NOT NULL,
  number       integer NOT NULL,
  operator     text NOT NULL,
  requested_at timestamptz NOT NULL,
  finished_at  timestamptz,
  result       text CHECK (result IN ('applied', 'failed', 'missing', 'gave_up', 'stopped')),
  PRIMARY KEY (project_id, replay_id),
  CONSTRAINT attempts_number UNIQUE (project_id, incident_id, number)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_insert_scale_factor = 0.05);

-- The delivery of one attempt. next_at is when it may be claimed: the next try
-- while waiting, the end of the lease while leased.
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

-- Alerts to send, one row an opened incident, written in the call that opened it.
CREATE TABLE sendpromptly.outbox (
  due_at      timestamptz NOT NULL,
  incident_id uuid NOT NULL,
  project_id  integer NOT NULL,
  PRIMARY KEY (due_at, project_id, incident_id)
) WITH (fillfactor = 100, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);

-- What changed, for feeds: incidents, attempts and settings only. Read in the
-- order of (xid, seq); see the query ChangesAfter.
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

-- What support searches by: subject, customer and the provider's object ids,
-- lower case. Folded in after the caller's commit by the engine's index step.
CREATE TABLE sendpromptly.terms (
  project_id integer NOT NULL,
  term       text NOT NULL,
  effect_id  uuid NOT NULL,
  PRIMARY KEY (project_id, term, effect_id)
) WITH (fillfactor = 100, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_insert_scale_factor = 0.05);

-- How far the index step has come in each project: every effect up to
-- effect_id is in terms. The mark says when that may move on (see index_terms).
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

-- What operators did outside a timeline: settings, keys, people.
-- project_id 0 stands for the deployment as a whole.
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

INSERT INTO sendpromptly.projects (id, name, created_at)
SELECT sendpromptly.uuid7(now), 'default', now FROM (SELECT sendpromptly.clock() AS now) AS c;

REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA sendpromptly FROM PUBLIC;
INSERT INTO sendpromptly.migrations (version, name) VALUES (2, 'tables');
