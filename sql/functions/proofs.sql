-- Issued proofs. The token itself is not stored: the row says that it was issued, and whether it is still valid.

-- Whether a proof was ever issued for an effect. Retention never removes such an effect, its entries or its chain: the proof
-- may be checked long after it expired. A function that removes effects locks their incidents first and calls this in the
-- next statement: issue_proof locks the incident.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.proof_bearing(project_id integer, effect_id uuid) RETURNS boolean
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT EXISTS (SELECT 1 FROM sendpromptly.proofs AS p
    WHERE p.project_id = proof_bearing.project_id AND p.effect_id = proof_bearing.effect_id)
$$;
-- +goose StatementEnd

-- issue_proof seals the chain and records a proof of its head. No row comes back if the incident does not exist; project
-- null searches all. Times are whole seconds, as in tokens.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.issue_proof(incident_id uuid, issuer text, audience text, lifetime interval, operator text, project text DEFAULT NULL)
  RETURNS SETOF sendpromptly.proofs
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
  v_proof sendpromptly.proofs;
  v_now timestamptz;
BEGIN
  SELECT i.project_id, i.incident_id, i.effect_id INTO v_proof.project_id, v_proof.incident_id, v_proof.effect_id
  FROM sendpromptly.projects AS p
  JOIN sendpromptly.incidents AS i ON i.project_id = p.project_id AND i.incident_id = issue_proof.incident_id
  JOIN sendpromptly.effects AS e ON e.project_id = i.project_id AND e.effect_id = i.effect_id
  WHERE issue_proof.project IS NULL OR p.name = issue_proof.project
  FOR NO KEY UPDATE OF i;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  v_now := sendpromptly.clock(); -- after the lock, which may have waited for an entry that is sealed now
  SELECT s.seq, s.hash INTO v_proof.head_seq, v_proof.head_hash FROM sendpromptly.seal(v_proof.project_id, v_proof.effect_id) AS s;
  v_proof.jti := sendpromptly.uuid7(v_now);
  v_proof.issuer := issue_proof.issuer;
  v_proof.audience := issue_proof.audience;
  v_proof.issued_by := left(operator, 255);
  v_proof.issued_at := date_trunc('second', v_now);
  v_proof.expires_at := v_proof.issued_at + lifetime;
  v_proof.views := 0;
  INSERT INTO sendpromptly.proofs SELECT v_proof.*;
  INSERT INTO sendpromptly.entries (effect_id, at, project_id, kind, actor, note)
  VALUES (v_proof.effect_id, v_now, v_proof.project_id, 'proof', v_proof.issued_by, v_proof.jti::text);
  INSERT INTO sendpromptly.changes (subject_id, at, project_id, kind, what)
  VALUES (v_proof.incident_id, v_now, v_proof.project_id, 'incident', 'proof');
  INSERT INTO sendpromptly.audit (project_id, audit_id, at, actor, action, subject, detail)
  VALUES (v_proof.project_id, sendpromptly.uuid7(v_now), v_now, v_proof.issued_by, 'proof.issue', v_proof.jti::text, 'incident ' || v_proof.incident_id);
  RETURN NEXT v_proof;
END
$$;
-- +goose StatementEnd

-- revoke_proof ends a proof before its time. A second call changes nothing; no row comes back if there is no such proof.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.revoke_proof(jti uuid, operator text, project text DEFAULT NULL) RETURNS SETOF sendpromptly.proofs
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
  v_proof sendpromptly.proofs;
  v_now timestamptz := sendpromptly.clock();
BEGIN
  SELECT f.* INTO v_proof FROM sendpromptly.projects AS p
  JOIN sendpromptly.proofs AS f ON f.project_id = p.project_id AND f.jti = revoke_proof.jti
  WHERE revoke_proof.project IS NULL OR p.name = revoke_proof.project
  FOR NO KEY UPDATE OF f;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  IF v_proof.revoked_at IS NULL THEN
    UPDATE sendpromptly.proofs AS f SET revoked_at = v_now, revoked_by = left(operator, 255)
    WHERE f.project_id = v_proof.project_id AND f.jti = v_proof.jti RETURNING f.* INTO v_proof;
    INSERT INTO sendpromptly.audit (project_id, audit_id, at, actor, action, subject, detail)
    VALUES (v_proof.project_id, sendpromptly.uuid7(v_now), v_now, left(operator, 255), 'proof.revoke', v_proof.jti::text, 'incident ' || v_proof.incident_id);
  END IF;
  RETURN NEXT v_proof;
END
$$;
-- +goose StatementEnd

-- count_view notes that a proof's page was opened.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.count_view(project_id integer, jti uuid) RETURNS void
  LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  UPDATE sendpromptly.proofs AS f SET views = f.views + 1, last_view = (SELECT sendpromptly.clock())
  WHERE f.project_id = count_view.project_id AND f.jti = count_view.jti
$$;
-- +goose StatementEnd

SELECT sendpromptly.allow('sendpromptly_operator',
  'EXECUTE ON FUNCTION sendpromptly.issue_proof, sendpromptly.revoke_proof, sendpromptly.count_view, sendpromptly.proof_bearing');
