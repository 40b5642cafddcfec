-- Plans: a bulk action over a frozen set of incidents.

-- Freezes the set of a plan: the incidents that fit the filter now, as they are
-- now. size is -1, and nothing is kept, where there are more than most.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.create_plan(project text, action text, filter text, note text, operator text, most integer,
    OUT plan_id uuid, OUT size integer)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
  v_project integer := (SELECT p.project_id FROM sendpromptly.projects AS p WHERE p.name = project);
  v_now timestamptz := sendpromptly.clock();
  v_ids uuid[];
BEGIN
  v_ids := ARRAY(SELECT n.incident_id FROM sendpromptly.incident_page(project, 'ffffffff-ffff-ffff-ffff-ffffffffffff', most + 1, NULL, filter::json) AS n);
  size := cardinality(v_ids);
  IF size > most THEN
    size := -1;
    RETURN;
  END IF;
  plan_id := sendpromptly.uuid7(v_now);
  INSERT INTO sendpromptly.plan_items (project_id, plan_id, incident_id, revision)
  SELECT v_project, create_plan.plan_id, u.incident_id, i.revision FROM unnest(v_ids) AS u(incident_id)
  CROSS JOIN LATERAL (SELECT o.revision FROM sendpromptly.incidents AS o
    WHERE o.project_id = v_project AND o.incident_id = u.incident_id LIMIT 1) AS i;
  INSERT INTO sendpromptly.plans (project_id, plan_id, action, filter, note, size, created_at, created_by)
  VALUES (v_project, create_plan.plan_id, create_plan.action, create_plan.filter, left(create_plan.note, 2000), create_plan.size, v_now,
    left(operator, 255));
END
$$;
-- +goose StatementEnd

-- Acts on the next incident of one running plan. At most in_flight callbacks of
-- a project wait or are being sent: a plan never floods the repair endpoint, and
-- no attempt runs out of time in the queue. taken is false where no plan can go
-- on now. One incident a transaction: it never waits for one while it holds another.
-- One that cannot be acted on, for a reason that lies in a row, ends as an error,
-- which a note on its timeline tells, and holds up no other.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.run_plan_item(last_try interval, in_flight integer, OUT taken boolean)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
  v_plan record;
  v_item record;
  v_done record;
BEGIN
  taken := false;
  FOR v_plan IN
    SELECT p.*, q.name FROM sendpromptly.projects AS q CROSS JOIN LATERAL (
      SELECT o.* FROM sendpromptly.plans AS o
      WHERE o.project_id = q.project_id AND o.started_at IS NOT NULL AND o.finished_at IS NULL
      ORDER BY o.plan_id LIMIT 20) AS p
    WHERE p.action = 'close' OR in_flight > (SELECT count(*) FROM (SELECT 1 FROM sendpromptly.callbacks AS c
      WHERE c.project_id = p.project_id AND c.state IN ('waiting', 'leased') LIMIT in_flight) AS live)
  LOOP
    SELECT i.* INTO v_item FROM sendpromptly.plan_items AS i
    WHERE i.project_id = v_plan.project_id AND i.plan_id = v_plan.plan_id AND i.outcome IS NULL
    ORDER BY i.incident_id LIMIT 1 FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
      UPDATE sendpromptly.plans AS p SET finished_at = sendpromptly.clock()
      WHERE p.project_id = v_plan.project_id AND p.plan_id = v_plan.plan_id AND p.finished_at IS NULL AND NOT EXISTS (
        SELECT 1 FROM sendpromptly.plan_items AS i WHERE i.project_id = p.project_id AND i.plan_id = p.plan_id AND i.outcome IS NULL);
      CONTINUE;
    END IF;
    taken := true;
    BEGIN
      IF v_plan.action = 'reprocess' THEN
        SELECT r.refusal, r.replay_id INTO v_done
        FROM sendpromptly.reprocess(v_item.incident_id, v_plan.started_by, last_try, v_plan.name, v_item.revision) AS r;
      ELSE
        SELECT r.refusal, NULL::uuid AS replay_id INTO v_done
        FROM sendpromptly.close(v_item.incident_id, v_plan.started_by, v_plan.note, v_plan.name, v_item.revision) AS r;
      END IF;
    EXCEPTION WHEN OTHERS THEN
      IF NOT sendpromptly.rows_fault(SQLSTATE) THEN
        RAISE;
      END IF;
      SELECT 'error' AS refusal, NULL::uuid AS replay_id INTO v_done;
      INSERT INTO sendpromptly.entries (effect_id, at, project_id, kind, error_message, note)
      SELECT o.effect_id, sendpromptly.clock(), o.project_id, 'note', left(SQLERRM, 2000), 'a plan could not act on the incident'
      FROM sendpromptly.incidents AS o WHERE o.project_id = v_item.project_id AND o.incident_id = v_item.incident_id;
    END;
    UPDATE sendpromptly.plan_items AS i SET replay_id = v_done.replay_id, outcome = CASE
        WHEN v_done.refusal IS NULL THEN CASE v_plan.action WHEN 'reprocess' THEN 'requested' ELSE 'closed' END
        WHEN v_done.refusal IN ('changed', 'error') THEN v_done.refusal ELSE 'refused' END
    WHERE i.project_id = v_item.project_id AND i.plan_id = v_item.plan_id AND i.incident_id = v_item.incident_id;
    RETURN;
  END LOOP;
END
$$;
-- +goose StatementEnd

SELECT sendpromptly.allow('sendpromptly_operator', 'EXECUTE ON FUNCTION sendpromptly.create_plan');
