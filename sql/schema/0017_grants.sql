-- +goose Up
-- Who may do what. PUBLIC may do nothing; a role that could not be created is
-- skipped here and reported by `spadmin doctor`.

REVOKE ALL ON SCHEMA sendpromptly FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA sendpromptly FROM PUBLIC;

-- +goose StatementBegin
DO $$
DECLARE
  v_grant text[];
BEGIN
  FOREACH v_grant SLICE 1 IN ARRAY ARRAY[
    -- sendpromptly_app: the signals of an app in any language, and begin_apply for its workers.
    ['sendpromptly_app', 'USAGE ON SCHEMA sendpromptly'],
    ['sendpromptly_app', 'EXECUTE ON FUNCTION sendpromptly.accept, sendpromptly.accept_many, sendpromptly.succeed, sendpromptly.fail, sendpromptly.begin_apply, sendpromptly.clock'],
    ['sendpromptly_app', 'SELECT ON sendpromptly.projects, sendpromptly.migrations'],
    -- sendpromptly_engine: the steps and the callback secrets.
    ['sendpromptly_engine', 'USAGE ON SCHEMA sendpromptly'],
    ['sendpromptly_engine', 'EXECUTE ON ALL FUNCTIONS IN SCHEMA sendpromptly'],
    ['sendpromptly_engine', 'SELECT ON ALL TABLES IN SCHEMA sendpromptly'],
    ['sendpromptly_engine', 'INSERT, UPDATE, DELETE ON sendpromptly.engines'],
    ['sendpromptly_engine', 'UPDATE (retained_at) ON sendpromptly.projects'],
    -- sendpromptly_operator: reads, except secrets and payloads, and actions.
    ['sendpromptly_operator', 'USAGE ON SCHEMA sendpromptly'],
    ['sendpromptly_operator', 'SELECT ON ALL TABLES IN SCHEMA sendpromptly'],
    ['sendpromptly_operator', 'EXECUTE ON FUNCTION sendpromptly.reprocess, sendpromptly.stop, sendpromptly.close, sendpromptly.note, sendpromptly.try_now, sendpromptly.incident_page, sendpromptly.incident_walk_end, sendpromptly.incident_count, sendpromptly.overview_counts, sendpromptly.effect_page, sendpromptly.create_plan, sendpromptly.timeline, sendpromptly.effect_state, sendpromptly.find_effect, sendpromptly.chain_problem, sendpromptly.clock, sendpromptly.short, sendpromptly.full_name'],
    ['sendpromptly_operator', 'INSERT ON sendpromptly.audit'],
    ['sendpromptly_operator', 'UPDATE ON sendpromptly.plans, sendpromptly.plan_items'],
    ['sendpromptly_operator', 'INSERT, UPDATE, DELETE ON sendpromptly.saved_views'],
    ['sendpromptly_operator', 'EXECUTE ON FUNCTION sendpromptly.issue_proof, sendpromptly.revoke_proof, sendpromptly.count_view, sendpromptly.erase, sendpromptly.proof_bearing']
  ] LOOP
    IF EXISTS (SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = v_grant[1]) THEN
      EXECUTE pg_catalog.format('GRANT %s TO %I', v_grant[2], v_grant[1]);
    END IF;
  END LOOP;
  IF EXISTS (SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = 'sendpromptly_operator') THEN
    REVOKE ALL ON sendpromptly.callback_secrets, sendpromptly.alert_destinations, sendpromptly.snapshots, sendpromptly.api_keys, sendpromptly.tokens,
      sendpromptly.login_links, sendpromptly.sessions FROM sendpromptly_operator;
    GRANT SELECT (project_id, channel, shown) ON sendpromptly.alert_destinations TO sendpromptly_operator;
  END IF;
END
$$;
-- +goose StatementEnd

REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA sendpromptly FROM PUBLIC;
INSERT INTO sendpromptly.migrations (version, name) VALUES (17, 'grants');
