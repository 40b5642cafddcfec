-- Plans: a bulk action over a frozen set of incidents.

-- Freezes the set of a plan: the incidents that match the filter now, with their current revisions. size is -1, and nothing
-- is stored, if there are more than most.
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

-- claim_plan_item takes the next incident of one running plan. The caller acts on it in the same transaction and records the
-- result with finish_plan_item. At most in_flight callbacks of a project wait or are being sent: a plan never floods the
-- repair endpoint, and no attempt runs out of time in the queue. project is null if no plan can continue now. One incident
-- per transaction: it never waits for one while it holds another.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.claim_plan_item(in_flight integer,
    OUT project text, OUT project_id integer, OUT plan_id uuid, OUT incident_id uuid, OUT revision integer, OUT action text, OUT operator text, OUT note text)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
  v_plan record;
  v_item record;
BEGIN
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
    project := v_plan.name;
    project_id := v_plan.project_id;
    plan_id := v_plan.plan_id;
    incident_id := v_item.incident_id;
    revision := v_item.revision;
    action := v_plan.action;
    operator := v_plan.started_by;
    note := v_plan.note;
    RETURN;
  END LOOP;
END
$$;
-- +goose StatementEnd

-- finish_plan_item records the result of an item: requested, closed, changed, refused or error. An error is also written as
-- a note on the incident's timeline.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.finish_plan_item(project_id integer, plan_id uuid, incident_id uuid, outcome text, replay_id uuid, error text) RETURNS void
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
  v_now timestamptz := sendpromptly.clock();
BEGIN
  IF outcome = 'error' THEN
    INSERT INTO sendpromptly.entries (effect_id, at, project_id, kind, error_message, note)
    SELECT o.effect_id, v_now, o.project_id, 'note', left(error, 2000), 'a plan could not act on the incident'
    FROM sendpromptly.incidents AS o WHERE o.project_id = finish_plan_item.project_id AND o.incident_id = finish_plan_item.incident_id;
  END IF;
  UPDATE sendpromptly.plan_items AS i SET replay_id = finish_plan_item.replay_id, outcome = finish_plan_item.outcome
  WHERE i.project_id = finish_plan_item.project_id AND i.plan_id = finish_plan_item.plan_id AND i.incident_id = finish_plan_item.incident_id;
END
$$;
-- +goose StatementEnd

SELECT sendpromptly.allow('sendpromptly_operator', 'EXECUTE ON FUNCTION sendpromptly.create_plan');
