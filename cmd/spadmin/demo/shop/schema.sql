-- The shop's own tables. SendPromptly has its own schema beside them, in the
-- same database, so that both commit together.
CREATE SCHEMA shop;

CREATE TABLE shop.accounts (
  id text PRIMARY KEY,
  credits bigint NOT NULL DEFAULT 0 CHECK (credits >= 0),
  access boolean NOT NULL DEFAULT false,
  team boolean NOT NULL DEFAULT false
);

CREATE TABLE shop.orders (
  id text PRIMARY KEY,
  account text NOT NULL REFERENCES shop.accounts,
  cents bigint NOT NULL,
  state text NOT NULL CHECK (state IN ('open', 'paid', 'fulfilled'))
);

-- One row each time an event is applied. No constraint prevents a second row, so
-- that a double application is visible.
CREATE TABLE shop.history (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  account text NOT NULL,
  event_id text NOT NULL,
  event_type text NOT NULL
);

-- The queue. A taken job is never given to another worker, even if its worker
-- dies: the shop does not handle that case.
CREATE TABLE shop.jobs (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  service text NOT NULL,
  provider text NOT NULL,
  event_id text NOT NULL,
  effect text NOT NULL,
  event_type text NOT NULL,
  account text NOT NULL,
  object text NOT NULL,
  cents bigint NOT NULL,
  replay_id text NOT NULL DEFAULT '',
  taken_at timestamptz,
  done_at timestamptz,
  error text
);
CREATE INDEX ON shop.jobs (service, id) WHERE taken_at IS NULL;

-- The dedupe list of the shop's oldest endpoint.
CREATE TABLE shop.processed_events (
  event_id text PRIMARY KEY
);
