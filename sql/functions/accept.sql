-- The receipt. These functions run inside the caller's transaction. They raise an error only for a key or a timeout that
-- cannot be watched (SQLSTATE SP001, SP002; the message names the argument). They cut every other long text. Of an effect
-- that is under way they lock nothing but its unique key.
--
-- They run with enable_seqscan = off and enable_sort = off. Otherwise a session would cache a plan while a table is small,
-- and that plan would scan the whole table even after it has grown (see find_effect). A plan that has to sort anyway counts
-- as expensive enough for JIT, which takes longer than the call: so jit = off.

-- The reason why a key cannot be watched, or null. Lengths are compared instead of counted by the patterns: '{1,64}' is
-- seven times as slow as '+'.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.key_problem(provider text, event_id text, effect text) RETURNS text
  LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE
    WHEN provider IS NULL OR pg_catalog.length(provider) > 64 OR provider !~ '^[a-z0-9_-]+$'
      THEN 'argument provider: want 1 to 64 characters from a-z, 0-9, _ and -'
    WHEN event_id IS NULL OR event_id = '' OR pg_catalog.length(event_id) > 255 OR event_id ~ '[[:space:][:cntrl:]]'
      THEN 'argument event_id: want 1 to 255 characters without spaces or control characters'
    WHEN effect IS NULL OR effect = '' OR pg_catalog.length(effect) > 64 OR effect ~ '[[:space:][:cntrl:]]'
      THEN 'argument effect: want 1 to 64 characters without spaces or control characters'
  END
$$;
-- +goose StatementEnd

-- The provider's ids as they are stored: at most 16 of 255 characters each, none empty, joined by the unit separator.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.join_objects(objects text[]) RETURNS text
  LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_joined text := array_to_string(objects, chr(31));
BEGIN
  -- The usual list is joined unchanged: no member is long, empty or null, and none contains the separator.
  IF octet_length(v_joined) <= 255 AND cardinality(objects) <= 16
      AND strpos(chr(31) || v_joined || chr(31), chr(31) || chr(31)) = 0
      AND length(v_joined) - length(replace(v_joined, chr(31), '')) = cardinality(objects) - 1 THEN
    RETURN v_joined;
  END IF;
  RETURN (SELECT coalesce(string_agg(replace(left(few.o, 255), chr(31), ' '), chr(31) ORDER BY few.n), '')
    FROM (SELECT u.o, u.n FROM unnest(objects) WITH ORDINALITY AS u(o, n)
          WHERE u.o <> '' ORDER BY u.n LIMIT 16) AS few);
END
$$;
-- +goose StatementEnd

-- accept records that an effect is owed. A duplicate key returns the first receipt and changes no deadline. The call waits
-- only for another uncommitted accept of the same key and, if that effect was settled a month ago, for a transaction that is
-- adding something to it.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.accept(
  provider text, event_id text, effect text,
  event_type text DEFAULT NULL, subject text DEFAULT NULL, occurred_at timestamptz DEFAULT NULL,
  timeout interval DEFAULT NULL, amount bigint DEFAULT NULL, currency text DEFAULT NULL,
  customer text DEFAULT NULL, version text DEFAULT NULL, merchant text DEFAULT NULL,
  objects text[] DEFAULT NULL, snapshot bytea DEFAULT NULL, project text DEFAULT 'default', source_event text DEFAULT NULL,
  OUT effect_id uuid, OUT deadline timestamptz, OUT duplicate boolean)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_sort = off AS $$
#variable_conflict use_column
DECLARE
  v_problem text := sendpromptly.key_problem(provider, event_id, effect);
  v_project integer;
  v_timeout interval;
  v_xid xid8;
  v_now timestamptz;
  v_old sendpromptly.effects;
  v_there boolean;
  v_state text;
BEGIN
  IF v_problem IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'SP001', MESSAGE = 'sendpromptly.accept: ' || v_problem;
  END IF;
  SELECT p.project_id, p.timeout INTO v_project, v_timeout FROM sendpromptly.projects AS p WHERE p.name = project;
  IF v_project IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'SP001', MESSAGE = 'sendpromptly.accept: argument project: there is no such project',
      HINT = 'create the project with: spadmin project create NAME';
  END IF;
  v_timeout := coalesce(timeout, v_timeout);
  IF v_timeout < interval '1 second' OR v_timeout > interval '30 days' THEN
    RAISE EXCEPTION USING ERRCODE = 'SP002', MESSAGE = 'sendpromptly.accept: argument timeout: want 1 second to 30 days';
  END IF;
  -- The transaction gets its id before the clock is read: index_terms relies on it.
  v_xid := pg_current_xact_id();
  v_now := sendpromptly.clock();
  effect_id := sendpromptly.uuid7(v_now);
  -- In seconds, so that a day or month in the interval is as long as the bounds assume, in every time zone.
  deadline := v_now + make_interval(secs => extract(epoch FROM v_timeout)::double precision);
  WITH born AS (
    INSERT INTO sendpromptly.effects (effect_id, accepted_at, deadline, occurred_at, amount, project_id, event_id, provider,
        effect, event_type, subject, merchant, currency, customer, version, objects, source_event)
    VALUES (accept.effect_id, v_now, accept.deadline,
        CASE WHEN accept.occurred_at BETWEEN '1970-01-01Z' AND '9999-12-31Z' THEN accept.occurred_at ELSE '-infinity' END,
        coalesce(accept.amount, (-9223372036854775808)::bigint), v_project, accept.event_id, sendpromptly.short(accept.provider), sendpromptly.short(accept.effect),
        coalesce(sendpromptly.short(left(accept.event_type, 128)), ''), coalesce(left(accept.subject, 255), ''), coalesce(left(accept.merchant, 255), ''),
        coalesce(upper(left(accept.currency, 3)), ''), coalesce(left(accept.customer, 255), ''), coalesce(left(accept.version, 128), ''),
        CASE WHEN accept.objects IS NULL THEN '' ELSE sendpromptly.join_objects(accept.objects) END,
        CASE WHEN accept.source_event <> accept.event_id THEN left(accept.source_event, 255) ELSE '' END)
    ON CONFLICT (project_id, event_id, provider, effect) DO NOTHING
    RETURNING effect_id, deadline, project_id)
  INSERT INTO sendpromptly.owed (deadline, effect_id, project_id) SELECT b.deadline, b.effect_id, b.project_id FROM born AS b;
  IF FOUND THEN
    IF snapshot IS NOT NULL THEN
      INSERT INTO sendpromptly.snapshots (project_id, effect_id, purge_at, sealed)
      VALUES (v_project, accept.effect_id, v_now + interval '30 days', accept.snapshot);
    END IF;
    duplicate := false;
    RETURN;
  END IF;
  SELECT e.* INTO v_old FROM sendpromptly.effects AS e
  WHERE sendpromptly.has_key(e, v_project, accept.provider, accept.event_id, accept.effect) ORDER BY e.effect LIMIT 1;
  v_there := FOUND;
  v_state := sendpromptly.effect_state(v_project, v_old.effect_id, v_old.deadline);
  -- Locked where retention may remove it, so that it stays. An effect that is under way is not locked: the worker that
  -- applies it has that row.
  IF v_there AND v_old.accepted_at < v_now - interval '34 days' AND v_state IN ('applied', 'closed') THEN
    PERFORM 1 FROM sendpromptly.effects AS e WHERE e.project_id = v_project AND e.effect_id = v_old.effect_id FOR NO KEY UPDATE;
    v_there := FOUND;
  END IF;
  IF NOT v_there THEN -- retention removed it between these statements: so it is new
    SELECT a.effect_id, a.deadline, a.duplicate INTO effect_id, deadline, duplicate
    FROM sendpromptly.accept(provider, event_id, effect, event_type, subject, occurred_at, timeout, amount, currency, customer, version,
      merchant, objects, snapshot, project, source_event) AS a;
    RETURN;
  END IF;
  PERFORM sendpromptly.note_duplicate(v_old, v_now, v_state, subject, merchant, amount, currency, source_event);
  effect_id := v_old.effect_id;
  deadline := v_old.deadline;
  duplicate := true;
END
$$;
-- +goose StatementEnd

-- A second receipt adds an entry and locks nothing that is in use. It becomes a mismatch, for an operator to check, if
-- nobody will act on the effect any more, or if it names another subject, merchant or amount. If it came by another event of
-- the provider, its note ends with that event's id: the index entries_source_event finds it.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.note_duplicate(old sendpromptly.effects, at timestamptz, state text,
    subject text, merchant text, amount bigint, currency text, source_event text) RETURNS void
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
  v_what text := nullif(concat_ws(', ',
    CASE WHEN state IN ('closed', 'withdrawn') THEN 'the effect is ' || state END,
    CASE WHEN nullif(old.subject, '') <> left(subject, 255) THEN 'subject differs from the first receipt' END,
    CASE WHEN nullif(old.merchant, '') <> left(merchant, 255) THEN 'merchant differs from the first receipt' END,
    CASE WHEN nullif(old.amount, -9223372036854775808) <> amount THEN 'amount differs from the first receipt' END,
    CASE WHEN nullif(old.currency, '') <> upper(left(currency, 3)) THEN 'currency differs from the first receipt' END), '');
  v_source text := CASE WHEN source_event NOT IN ('', old.source_event, old.event_id)
    THEN 'accepted again by source event ' || left(source_event, 255) END;
BEGIN
  INSERT INTO sendpromptly.entries (effect_id, at, project_id, kind, note)
  VALUES (old.effect_id, note_duplicate.at, old.project_id,
    CASE WHEN v_what IS NULL THEN 'duplicate' ELSE 'mismatch' END, nullif(concat_ws(', ', v_what, v_source), ''));
END
$$;
-- +goose StatementEnd

-- What a duplicate found. The engine calls this in the statement that accepts, because accept's own columns are a contract.
-- The result is the effect's state and, if the entry is a mismatch, a colon and the entry's note. It is one text, so that a
-- new receipt, which has no use for it, pays for one column only. VOLATILE, because the effect may have been committed while
-- that statement waited, and because that statement itself wrote the entry.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.duplicate_met(effect_id uuid, deadline timestamptz, project text) RETURNS text
  LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_sort = off AS $$
DECLARE
  v_project integer := (SELECT p.project_id FROM sendpromptly.projects AS p WHERE p.name = project);
  v_entry record;
BEGIN
  SELECT n.kind, n.note INTO v_entry FROM sendpromptly.entries AS n
  WHERE n.project_id = v_project AND n.effect_id = duplicate_met.effect_id AND n.kind IN ('duplicate', 'mismatch')
  ORDER BY n.entry_id DESC LIMIT 1;
  RETURN concat_ws(': ', sendpromptly.effect_state(v_project, effect_id, deadline), CASE v_entry.kind WHEN 'mismatch' THEN v_entry.note END);
END
$$;
-- +goose StatementEnd

-- accept_many is accept for a list, in one call. receipts is a JSON array of objects with accept's arguments as members
-- (timeout as interval text, snapshot as \x… hex). Keys are locked in sorted order, so that two batches never deadlock. Rows
-- come back in the order of the list.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.accept_many(receipts json, project text DEFAULT 'default')
  RETURNS TABLE (ordinal bigint, effect_id uuid, deadline timestamptz, duplicate boolean)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_sort = off
  SET jit = off AS $$
#variable_conflict use_column
DECLARE
  v_project record;
  v_now timestamptz;
  v_seed record;
  v_problem text;
  v_new uuid[];
  v_ids uuid[];
  v_dues timestamptz[];
  v_places bigint[];
  v_duplicates boolean[];
  v_snapshots bigint;
  v_rest record;
BEGIN
  SELECT p.project_id, p.timeout INTO v_project FROM sendpromptly.projects AS p WHERE p.name = project;
  IF NOT FOUND THEN
    RAISE EXCEPTION USING ERRCODE = 'SP001', MESSAGE = 'sendpromptly.accept_many: argument project: there is no such project',
      HINT = 'create the project with: spadmin project create NAME';
  END IF;
  PERFORM pg_current_xact_id();
  v_now := sendpromptly.clock();
  v_seed := sendpromptly.uuid7_seed(v_now);
  WITH listed AS MATERIALIZED (
    SELECT i.*, sendpromptly.uuid7_nth(v_seed.head, v_seed.tail, v_seed.stride, i.ordinal) AS new_id,
      coalesce(sendpromptly.key_problem(i.provider, i.event_id, i.effect),
        CASE WHEN i.timeout < interval '1 second' OR i.timeout > interval '30 days' THEN 'argument timeout: want 1 second to 30 days' END) AS problem,
      v_now + make_interval(secs => least(greatest(extract(epoch FROM coalesce(i.timeout, v_project.timeout)), 0), 2592000)::double precision) AS due
    FROM sendpromptly.receipt_rows(receipts) AS i
  ), born AS (
    INSERT INTO sendpromptly.effects (effect_id, accepted_at, deadline, occurred_at, amount, project_id, event_id, provider,
        effect, event_type, subject, merchant, currency, customer, version, objects, source_event)
    SELECT i.new_id, v_now, i.due,
        CASE WHEN i.occurred_at BETWEEN '1970-01-01Z' AND '9999-12-31Z' THEN i.occurred_at ELSE '-infinity' END,
        coalesce(i.amount, (-9223372036854775808)::bigint), v_project.project_id, i.event_id, sendpromptly.short(i.provider), sendpromptly.short(i.effect),
        coalesce(sendpromptly.short(left(i.event_type, 128)), ''), coalesce(left(i.subject, 255), ''), coalesce(left(i.merchant, 255), ''),
        coalesce(upper(left(i.currency, 3)), ''), coalesce(left(i.customer, 255), ''), coalesce(left(i.version, 128), ''),
        CASE WHEN i.objects IS NULL THEN '' ELSE sendpromptly.join_objects(i.objects) END,
        CASE WHEN i.source_event <> i.event_id THEN left(i.source_event, 255) ELSE '' END
    FROM listed AS i WHERE i.problem IS NULL
    ORDER BY i.event_id, i.provider, i.effect, i.ordinal
    ON CONFLICT (project_id, event_id, provider, effect) DO NOTHING
    RETURNING effect_id, deadline
  ), now_owed AS (
    INSERT INTO sendpromptly.owed (deadline, effect_id, project_id)
    SELECT b.deadline, b.effect_id, v_project.project_id FROM born AS b
  )
  SELECT (SELECT array_agg(b.effect_id) FROM born AS b), array_agg(l.new_id ORDER BY l.ordinal), array_agg(l.due ORDER BY l.ordinal), count(l.snapshot),
    (array_agg(format('receipt %s: %s', l.ordinal, l.problem) ORDER BY l.ordinal) FILTER (WHERE l.problem IS NOT NULL))[1]
  INTO v_new, v_ids, v_dues, v_snapshots, v_problem FROM listed AS l;
  IF v_problem IS NOT NULL THEN -- this rolls back what was written
    RAISE EXCEPTION USING ERRCODE = CASE WHEN v_problem LIKE '%argument timeout%' THEN 'SP002' ELSE 'SP001' END,
      MESSAGE = 'sendpromptly.accept_many: ' || v_problem;
  END IF;
  IF cardinality(v_new) = cardinality(v_ids) AND v_snapshots = 0 THEN -- an import: all of it is new
    RETURN QUERY SELECT u.ordinal, u.id, u.due, false FROM unnest(v_ids, v_dues) WITH ORDINALITY AS u(id, due, ordinal);
    RETURN;
  END IF;

  IF coalesce(cardinality(v_new), 0) < cardinality(v_ids) THEN -- locked where retention may remove it, as in accept
    PERFORM 1 FROM (SELECT i.* FROM sendpromptly.receipt_rows(receipts) AS i ORDER BY i.event_id, i.provider, i.effect, i.ordinal) AS i
    CROSS JOIN LATERAL (
      SELECT 1 FROM sendpromptly.effects AS f
      WHERE sendpromptly.has_key(f, v_project.project_id, i.provider, i.event_id, i.effect) AND f.accepted_at < v_now - interval '34 days'
        AND sendpromptly.effect_state(f.project_id, f.effect_id, f.deadline) IN ('applied', 'closed')
      ORDER BY f.effect LIMIT 1 FOR NO KEY UPDATE) AS held;
  END IF;
  -- A new snapshot: it shows what a concurrent transaction committed.
  WITH found AS MATERIALIZED (
    SELECT i.*, e.effect_id, e.deadline, e.old,
      n.effect_id IS NULL OR row_number() OVER (PARTITION BY e.effect_id ORDER BY i.ordinal) > 1 AS duplicate
    FROM sendpromptly.receipt_rows(receipts) AS i
    CROSS JOIN LATERAL ( -- LIMIT: one lookup in the unique key per receipt, never a join with all receipts
      SELECT f.effect_id, f.deadline, f AS old FROM sendpromptly.effects AS f
      WHERE sendpromptly.has_key(f, v_project.project_id, i.provider, i.event_id, i.effect)
      ORDER BY f.effect LIMIT 1) AS e
    LEFT JOIN unnest(v_new) AS n(effect_id) ON n.effect_id = e.effect_id
  ), kept AS (
    INSERT INTO sendpromptly.snapshots (project_id, effect_id, purge_at, sealed)
    SELECT v_project.project_id, f.effect_id, v_now + interval '30 days', f.snapshot
    FROM found AS f WHERE f.snapshot IS NOT NULL AND NOT f.duplicate
  ), noted AS MATERIALIZED (
    SELECT sendpromptly.note_duplicate(f.old, v_now, sendpromptly.effect_state(v_project.project_id, f.effect_id, f.deadline),
      f.subject, f.merchant, f.amount, f.currency, f.source_event) AS done, f.ordinal
    FROM found AS f WHERE f.duplicate
  )
  SELECT coalesce(array_agg(f.ordinal), '{}'), array_agg(f.effect_id), array_agg(f.deadline), array_agg(f.duplicate)
  INTO v_places, v_ids, v_dues, v_duplicates FROM found AS f LEFT JOIN noted USING (ordinal);
  IF cardinality(v_places) < json_array_length(receipts) THEN
    FOR v_rest IN -- retention removed them between the two statements: so they are new
      SELECT i.* FROM sendpromptly.receipt_rows(receipts) AS i WHERE i.ordinal <> ALL (v_places) ORDER BY i.event_id, i.provider, i.effect, i.ordinal
    LOOP
      SELECT v_places || v_rest.ordinal, v_ids || a.effect_id, v_dues || a.deadline, v_duplicates || a.duplicate
      INTO v_places, v_ids, v_dues, v_duplicates
      FROM sendpromptly.accept(v_rest.provider, v_rest.event_id, v_rest.effect, v_rest.event_type, v_rest.subject, v_rest.occurred_at,
        v_rest.timeout, v_rest.amount, v_rest.currency, v_rest.customer, v_rest.version, v_rest.merchant, v_rest.objects, v_rest.snapshot, project, v_rest.source_event) AS a;
    END LOOP;
  END IF;
  RETURN QUERY SELECT u.ordinal, u.id, u.due, u.duplicate FROM unnest(v_places, v_ids, v_dues, v_duplicates) AS u(ordinal, id, due, duplicate)
    ORDER BY u.ordinal;
END
$$;
-- +goose StatementEnd

-- The members of accept_many's list, as rows.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.receipt_rows(receipts json)
  RETURNS TABLE (provider text, event_id text, effect text, event_type text, subject text, occurred_at timestamptz,
    timeout interval, amount bigint, currency text, customer text, version text, merchant text, objects text[], snapshot bytea, source_event text, ordinal bigint)
  LANGUAGE sql STABLE ROWS 1000 AS $$
  SELECT * FROM ROWS FROM (pg_catalog.json_to_recordset(receipts) AS (provider text, event_id text, effect text, event_type text,
    subject text, occurred_at timestamptz, timeout interval, amount bigint, currency text, customer text, version text,
    merchant text, objects text[], snapshot bytea, source_event text)) WITH ORDINALITY
$$;
-- +goose StatementEnd

SELECT sendpromptly.allow('sendpromptly_app', 'EXECUTE ON FUNCTION sendpromptly.accept, sendpromptly.accept_many, sendpromptly.duplicate_met');
