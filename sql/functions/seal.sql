-- Sealing: by a step of the engine for effects with an incident, and by any function that needs a sealed chain.

-- seal numbers and hashes the visible unsealed entries of one effect, in the order of their ids. An entry that commits later
-- gets a later number: sealed entries never change.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.seal(project_id integer, effect_id uuid, OUT seq integer, OUT hash bytea)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
  v_salt bytea;
  v_row record;
  v_hidden record;
  v_commitments bytea[];
BEGIN
  INSERT INTO sendpromptly.chains (project_id, effect_id, salt, seq, hash)
  SELECT e.project_id, e.effect_id, uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()), 0, decode(repeat('00', 32), 'hex')
  FROM sendpromptly.effects AS e WHERE e.project_id = seal.project_id AND e.effect_id = seal.effect_id
  ON CONFLICT DO NOTHING;
  SELECT c.salt, c.seq, c.hash INTO v_salt, seq, hash FROM sendpromptly.chains AS c
  WHERE c.project_id = seal.project_id AND c.effect_id = seal.effect_id FOR NO KEY UPDATE;
  FOR v_row IN
    SELECT t.*, e.provider, e.event_type, e.effect FROM sendpromptly.timeline(seal.project_id, seal.effect_id) AS t,
      sendpromptly.receipts AS e
    WHERE e.project_id = seal.project_id AND e.effect_id = seal.effect_id AND NOT EXISTS (
      SELECT 1 FROM sendpromptly.seals AS s
      WHERE s.project_id = seal.project_id AND s.effect_id = seal.effect_id AND s.entry_id = t.entry_id)
    ORDER BY t.entry_id
  LOOP
    seq := seq + 1;
    v_hidden := sendpromptly.hidden_fields(seal.project_id, seal.effect_id, v_row.entry_id);
    v_commitments := sendpromptly.commitments(v_salt, seal.seq, v_hidden.fields, v_hidden.bodies);
    hash := sendpromptly.entry_hash(hash, seq, v_row.kind, v_row.at, v_row.state, v_row.cause, v_row.provider,
      v_row.event_type, v_row.effect, seal.effect_id, v_hidden.fields, v_commitments);
    INSERT INTO sendpromptly.seals (project_id, effect_id, seq, entry_id, fields, commitments, hash)
    VALUES (seal.project_id, seal.effect_id, seal.seq, v_row.entry_id, v_hidden.fields, v_commitments, seal.hash);
  END LOOP;
  UPDATE sendpromptly.chains AS c SET seq = seal.seq, hash = seal.hash
  WHERE c.project_id = seal.project_id AND c.effect_id = seal.effect_id AND c.seq < seal.seq;
END
$$;
-- +goose StatementEnd

-- seal_changed seals the effects of incidents that changed. It follows the change feed below the oldest running transaction,
-- where nothing can appear any more; one engine at a time holds the cursor. apart is for a batch that failed, as in
-- fold_failures: a chain that cannot be sealed because of its own data is skipped with a note, and delays no other.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.seal_changed(batch integer, apart boolean DEFAULT false, OUT taken integer)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
  v_cursor sendpromptly.seal_cursor;
  v_last record;
  v_incident record;
BEGIN
  taken := 0;
  SELECT c.* INTO v_cursor FROM sendpromptly.seal_cursor AS c FOR UPDATE SKIP LOCKED;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  FOR v_last IN
    SELECT c.xid, c.seq, c.project_id, c.subject_id, c.kind FROM sendpromptly.changes AS c
    WHERE (c.xid, c.seq) > (v_cursor.xid, v_cursor.seq) AND c.xid < pg_snapshot_xmin(pg_current_snapshot())
    ORDER BY c.xid, c.seq LIMIT batch
  LOOP
    taken := taken + 1;
    v_cursor.xid := v_last.xid;
    v_cursor.seq := v_last.seq;
    IF v_last.kind <> 'settings' THEN
      SELECT i.project_id, i.effect_id INTO v_incident FROM sendpromptly.incidents AS i
      WHERE i.project_id = v_last.project_id AND i.incident_id = v_last.subject_id;
      IF FOUND AND NOT apart THEN
        PERFORM sendpromptly.seal(v_incident.project_id, v_incident.effect_id);
      ELSIF FOUND THEN
        BEGIN
          PERFORM sendpromptly.seal(v_incident.project_id, v_incident.effect_id);
        EXCEPTION WHEN OTHERS THEN
          IF NOT sendpromptly.rows_fault(SQLSTATE) THEN
            RAISE;
          END IF;
          INSERT INTO sendpromptly.entries (effect_id, at, project_id, kind, error_message, note)
          VALUES (v_incident.effect_id, sendpromptly.clock(), v_incident.project_id, 'note', left(SQLERRM, 2000),
            'the timeline could not be sealed; run spadmin verify for details');
        END;
      END IF;
    END IF;
  END LOOP;
  IF taken > 0 THEN
    UPDATE sendpromptly.seal_cursor SET xid = v_cursor.xid, seq = v_cursor.seq;
  END IF;
END
$$;
-- +goose StatementEnd
