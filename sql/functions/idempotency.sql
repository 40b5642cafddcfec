-- Answers of the ingest API that are repeated.

-- begin_idempotent is the first statement of the transaction that does the work and stores its answer. verdict is
--   new       go on: this transaction alone has the key until it ends
--   stored    the same request was answered before: repeat that answer
--   conflict  the key was used with another body
--   busy      a transaction with this key is still running
--   unknown   no such project
-- The lock ends with the transaction, in whatever way that ends, so a crash leaves nothing behind. The lock is taken before
-- the answer is read, in a statement of its own: the previous holder has committed what the next snapshot shows.
--
-- The transaction is the server's own, so it may limit its waiting for rows: an app that locks an effect for long must not
-- use up our connections.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.begin_idempotent(project text, endpoint text, key text, body_hash bytea,
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
  IF NOT sendpromptly.take_turn(format('%s %s %s', v_project, endpoint, key)) THEN
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
-- +goose StatementEnd

-- keep_answer is the last statement of such a transaction.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.keep_answer(project text, endpoint text, key text, body_hash bytea, status integer, answer bytea) RETURNS void
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
