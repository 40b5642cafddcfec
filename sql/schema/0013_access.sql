-- +goose Up
-- Who may come in: API keys of projects, operators with their login links and
-- sessions, and tokens. Of every secret only its SHA-256 is kept; the secrets
-- are random and long, so nothing slower is needed. operators, login_links,
-- sessions and tokens belong to the deployment as a whole: they are small
-- reference tables, like projects. Their rows change in columns that no index
-- holds, so pages have room for that.

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

-- The hash first: who sends a key names no project.
CREATE UNIQUE INDEX api_keys_hash ON sendpromptly.api_keys (key_hash, project_id);

-- email is lower case. Sessions that began before created_at are dead: somebody
-- who was removed and invited again starts anew. vouched: the role is the
-- identity provider's, and holds only while the provider gives one.
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

-- expires_at is the idle limit, moved by use; the absolute limit counts from
-- the login, which is in data.
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

-- The audit log of the whole deployment, newest first.
CREATE INDEX audit_recent ON sendpromptly.audit (audit_id);

REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA sendpromptly FROM PUBLIC;
INSERT INTO sendpromptly.migrations (version, name) VALUES (13, 'access');
