-- The roles' permissions beyond the functions that the other files name. PUBLIC has no permissions.

REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA sendpromptly FROM PUBLIC;

-- sendpromptly_app: the signals of an app in any language, and begin_apply for its workers.
SELECT sendpromptly.allow('sendpromptly_app', 'USAGE ON SCHEMA sendpromptly');
SELECT sendpromptly.allow('sendpromptly_app', 'EXECUTE ON FUNCTION sendpromptly.clock');
SELECT sendpromptly.allow('sendpromptly_app', 'SELECT ON sendpromptly.projects, sendpromptly.migrations');

-- sendpromptly_engine: the steps and the callback secrets.
SELECT sendpromptly.allow('sendpromptly_engine', 'USAGE ON SCHEMA sendpromptly');
SELECT sendpromptly.allow('sendpromptly_engine', 'EXECUTE ON ALL FUNCTIONS IN SCHEMA sendpromptly');
SELECT sendpromptly.allow('sendpromptly_engine', 'SELECT ON ALL TABLES IN SCHEMA sendpromptly');
SELECT sendpromptly.allow('sendpromptly_engine', 'INSERT, UPDATE, DELETE ON sendpromptly.engines');
SELECT sendpromptly.allow('sendpromptly_engine', 'UPDATE (retained_at) ON sendpromptly.projects');

-- sendpromptly_operator: reads, except secrets and payloads, and actions.
SELECT sendpromptly.allow('sendpromptly_operator', 'USAGE ON SCHEMA sendpromptly');
SELECT sendpromptly.allow('sendpromptly_operator', 'EXECUTE ON FUNCTION sendpromptly.clock, sendpromptly.full_name');
SELECT sendpromptly.allow('sendpromptly_operator', 'SELECT ON ALL TABLES IN SCHEMA sendpromptly',
  'ALL ON sendpromptly.callback_secrets, sendpromptly.alert_destinations, sendpromptly.snapshots, sendpromptly.api_keys, sendpromptly.tokens,
  sendpromptly.login_links, sendpromptly.sessions');
SELECT sendpromptly.allow('sendpromptly_operator', 'SELECT (project_id, channel, shown) ON sendpromptly.alert_destinations');
SELECT sendpromptly.allow('sendpromptly_operator', 'INSERT ON sendpromptly.audit');
SELECT sendpromptly.allow('sendpromptly_operator', 'UPDATE ON sendpromptly.plans, sendpromptly.plan_items');
SELECT sendpromptly.allow('sendpromptly_operator', 'INSERT, UPDATE, DELETE ON sendpromptly.saved_views');
