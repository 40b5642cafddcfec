-- +goose Up
-- What the ingest API needs besides the signals: whether a project may use it,
-- and answers that are given again.

-- A suspended project's API keys are turned away by the ingest API. What the
-- app records in its own transactions is never refused.
ALTER TABLE sendpromptly.projects ADD COLUMN suspended boolean NOT NULL DEFAULT false;

-- Answers by Idempotency-Key, kept for 24 hours. project_id 0 stands for the
-- deployment as a whole.
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

-- begin_idempotent is the first statement of the transaction that does the work
-- and keeps its answer. verdict is
--   new       go on: this transaction alone has the key until it ends
--   stored    the same request was answered before: answer it again
--   conflict  the key was used with another body
--   busy      a transaction with this key is still running
--   unknown   there is no such project
-- The lock ends with the transaction, whatever ends it, so a crash leaves
-- nothing behind. It is taken before the answer is looked for, in a statement of
-- its own: whoever held it before has committed what the next snapshot shows.
--
-- The transaction is the server's own, so it may bound its waiting for rows: an
-- app that holds an effect for long must not collect our connections.
-- +goose StatementBegin
CREATE FUNCTION sendpromptly.begin_idempotent(project text, endpoint text, key text, body_hash bytea,
    OUT verdict text, OUT status integer, OUT answer bytea)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
  v_project integer := 0;
  v_kept sendpromptly.idempotency;
BEGIN
  PERFORM set_config('lock_timeout', '5000', true);
  IF project <> '' THEN
    SELECT p.project_id INTO v_project FROM sendpromptly.projects AS p WHERE p.name = project;
    IF NOT FOUND THEN
      verdict := 'unknown';
      RETURN;
    END IF;
  END IF;
  IF NOT pg_try_advisory_xact_lock(hashtextextended(format('sendpromptly %s %s %s', v_project, endpoint, key), 0)) THEN
    verdict := 'busy';
    RETURN;
  END IF;
  SELECT i.* INTO v_kept FROM sendpromptly.idempotency AS i
  WHERE i.project_id = v_project AND i.endpoint = begin_idempotent.endpoint AND i.key = begin_idempotent.key
    AND i.expires_at > (SELECT sendpromptly.clock());
  IF NOT FOUND THEN
    verdict := 'new';
  ELSIF v_kept.body_hash <> begin_idempotent.body_hash THEN
    verdict := 'conflict';
  ELSE
    verdict := 'stored';
    status := v_kept.status;
    answer := v_kept.answer;
  END IF;
END
$$;

-- keep_answer is the last statement of such a transaction.
CREATE FUNCTION sendpromptly.keep_answer(project text, endpoint text, key text, body_hash bytea, status integer, answer bytea) RETURNS void
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
  v_project integer := CASE WHEN project = '' THEN 0 ELSE (SELECT p.project_id FROM sendpromptly.projects AS p WHERE p.name = keep_answer.project) END;
BEGIN
  INSERT INTO sendpromptly.idempotency AS i (project_id, endpoint, key, body_hash, status, answer, expires_at)
  VALUES (v_project, keep_answer.endpoint, keep_answer.key, keep_answer.body_hash, keep_answer.status, keep_answer.answer,
    sendpromptly.clock() + interval '24 hours')
  ON CONFLICT (project_id, endpoint, key) DO UPDATE SET body_hash = excluded.body_hash, status = excluded.status,
    answer = excluded.answer, expires_at = excluded.expires_at;
END
$$;
-- +goose StatementEnd

REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA sendpromptly FROM PUBLIC;
INSERT INTO sendpromptly.migrations (version, name) VALUES (14, 'ingest');
