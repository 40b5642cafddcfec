-- The check of a chain.

-- What is wrong with one chain, or null. Where the salt is gone (erased), the
-- stored commitments still carry the hash.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.chain_problem(project_id integer, effect_id uuid) RETURNS text
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
  v_chain sendpromptly.chains;
  v_row record;
  v_hidden record;
  v_hash bytea := decode(repeat('00', 32), 'hex');
  v_seq integer := 0;
BEGIN
  SELECT c.* INTO v_chain FROM sendpromptly.chains AS c WHERE c.project_id = chain_problem.project_id AND c.effect_id = chain_problem.effect_id;
  FOR v_row IN
    SELECT s.seq, s.entry_id, s.fields, s.commitments, s.salts, s.hash, t.kind, t.at, t.state, t.cause, e.provider, e.event_type, e.effect
    FROM sendpromptly.seals AS s
    LEFT JOIN sendpromptly.timeline(chain_problem.project_id, chain_problem.effect_id) AS t ON t.entry_id = s.entry_id
    LEFT JOIN sendpromptly.receipts AS e ON e.project_id = s.project_id AND e.effect_id = s.effect_id
    WHERE s.project_id = chain_problem.project_id AND s.effect_id = chain_problem.effect_id ORDER BY s.seq
  LOOP
    v_seq := v_seq + 1;
    IF v_row.seq <> v_seq THEN
      RETURN format('entry %s is missing', v_seq);
    ELSIF v_row.kind IS NULL THEN
      RETURN format('entry %s was removed', v_seq);
    END IF;
    v_hidden := sendpromptly.hidden_fields(chain_problem.project_id, chain_problem.effect_id, v_row.entry_id);
    IF v_seq <= v_chain.erased THEN
      IF NOT sendpromptly.kept_intact(v_row.salts, v_row.fields, v_row.commitments, v_hidden.fields, v_hidden.bodies) THEN
        RETURN format('entry %s was altered after it was erased', v_seq);
      END IF;
    ELSIF v_seq = v_chain.erased + 1 AND v_seq > 1 AND v_row.kind <> 'erased' THEN
      RETURN format('entries up to %s were emptied without an erasure', v_chain.erased);
    ELSIF v_chain.salt IS NULL THEN
      RETURN format('entry %s cannot be checked: the salt is gone', v_seq);
    ELSE
      IF v_hidden.fields <> v_row.fields OR v_row.commitments <> sendpromptly.commitments(v_chain.salt, v_seq, v_hidden.fields, v_hidden.bodies) THEN
        RETURN format('entry %s was altered', v_seq);
      END IF;
    END IF;
    v_hash := sendpromptly.entry_hash(v_hash, v_seq, v_row.kind, v_row.at, v_row.state, v_row.cause, v_row.provider,
      v_row.event_type, v_row.effect, chain_problem.effect_id, v_row.fields, v_row.commitments);
    IF v_hash <> v_row.hash THEN
      RETURN format('entry %s was altered', v_seq);
    END IF;
  END LOOP;
  IF v_chain.erased > 0 AND v_chain.erased >= v_seq THEN
    RETURN format('entries up to %s were emptied without an erasure', v_chain.erased);
  ELSIF v_seq <> v_chain.seq OR v_hash <> v_chain.hash THEN
    RETURN format('the chain ends at entry %s, its head says %s', v_seq, coalesce(v_chain.seq::text, 'nothing'));
  END IF;
  RETURN NULL;
END
$$;
-- +goose StatementEnd

-- Whether an erased entry is emptied but for what is kept, which has its salts still.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.kept_intact(salts bytea[], fields text[], commitments bytea[], left_fields text[], left_bodies bytea[]) RETURNS boolean
  LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT coalesce(bool_and(CASE WHEN s.salt IS NULL THEN l.name IS NULL AND s.name <> ALL (sendpromptly.kept_fields()) ELSE s.commitment = sha256(s.salt || l.body) IS TRUE END), true)
  FROM unnest(salts, fields, commitments) AS s(salt, name, commitment) FULL JOIN unnest(left_fields, left_bodies) AS l(name, body) ON l.name = s.name
$$;
-- +goose StatementEnd

SELECT sendpromptly.allow('sendpromptly_operator', 'EXECUTE ON FUNCTION sendpromptly.chain_problem');
