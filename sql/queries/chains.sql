-- name: ChainList :many
-- ChainList pages through every effect that has a chain, seals or a proof, in the order of (project_id, effect_id).
SELECT k.project_id::int AS project_id, k.effect_id::uuid AS effect_id, (c.effect_id IS NOT NULL)::boolean AS present, c.salt,
  coalesce(c.seq, 0)::int AS seq, coalesce(c.erased, 0)::int AS erased, c.hash
FROM (
  (SELECT o.project_id, o.effect_id FROM sendpromptly.chains AS o
    WHERE (o.project_id, o.effect_id) > (sqlc.arg(project_id)::int, sqlc.arg(effect_id)::uuid) ORDER BY o.project_id, o.effect_id LIMIT sqlc.arg(page)::int)
  UNION
  (SELECT DISTINCT s.project_id, s.effect_id FROM sendpromptly.seals AS s
    WHERE (s.project_id, s.effect_id) > (sqlc.arg(project_id)::int, sqlc.arg(effect_id)::uuid) ORDER BY s.project_id, s.effect_id LIMIT sqlc.arg(page)::int)
  UNION
  (SELECT DISTINCT f.project_id, f.effect_id FROM sendpromptly.proofs AS f
    WHERE (f.project_id, f.effect_id) > (sqlc.arg(project_id)::int, sqlc.arg(effect_id)::uuid) ORDER BY f.project_id, f.effect_id LIMIT sqlc.arg(page)::int)
  ORDER BY project_id, effect_id LIMIT sqlc.arg(page)::int) AS k
LEFT JOIN sendpromptly.chains AS c ON c.project_id = k.project_id AND c.effect_id = k.effect_id
ORDER BY k.project_id, k.effect_id;

-- name: ChainGet :one
-- ChainGet reads one chain.
SELECT sqlc.embed(c) FROM sendpromptly.chains AS c WHERE c.project_id = sqlc.arg(project_id)::int AND c.effect_id = sqlc.arg(effect_id)::uuid;

-- name: SealList :many
-- SealList reads the seals of some effects of one project, each with the current values in
-- the tables. Times are whole microseconds as text, empty if there is none or it is infinite;
-- found is false if the entry is missing.
SELECT s.effect_id, s.seq, s.entry_id, s.fields, s.commitments, s.salts, s.hash,
  (e.effect_id IS NOT NULL AND CASE s.entry_id WHEN 0 THEN true WHEN 1 THEN e.succeeded_at IS NOT NULL ELSE n.entry_id IS NOT NULL END)::boolean AS found,
  CASE s.entry_id WHEN 0 THEN 'receipt' WHEN 1 THEN 'success' ELSE coalesce(n.kind, '') END::text AS kind,
  coalesce((extract(epoch FROM nullif(nullif(CASE s.entry_id WHEN 0 THEN e.accepted_at WHEN 1 THEN e.succeeded_at ELSE n.at END, 'infinity'), '-infinity'))
    * 1000000)::bigint::text, '')::text AS at, n.state, n.cause,
  coalesce(e.provider, '')::text AS provider, e.event_type, coalesce(e.effect, '')::text AS effect,
  e.event_id AS event_id, e.subject, e.merchant, coalesce((extract(epoch FROM nullif(e.occurred_at, 'infinity')) * 1000000)::bigint::text, '')::text AS occurred_at,
  coalesce((extract(epoch FROM nullif(nullif(e.deadline, 'infinity'), '-infinity')) * 1000000)::bigint::text, '')::text AS deadline,
  e.amount, e.currency, e.customer, e.version, e.objects, e.source_event,
  n.actor, n.replay_id, n.error_code, n.error_message, n.note, n.url, n.status, n.duration_ms, n.answer
FROM sendpromptly.seals AS s
LEFT JOIN sendpromptly.receipts AS e ON e.project_id = s.project_id AND e.effect_id = s.effect_id
LEFT JOIN sendpromptly.entries AS n ON n.project_id = s.project_id AND n.effect_id = s.effect_id AND n.entry_id = s.entry_id
WHERE s.project_id = sqlc.arg(project_id)::int AND s.effect_id = ANY (sqlc.arg(effect_ids)::text[]::uuid[])
ORDER BY s.effect_id, s.seq;

-- name: ProofHeadList :many
-- ProofHeadList reads the proven chain heads of some effects of one project.
SELECT f.effect_id, f.jti, f.head_seq, f.head_hash FROM sendpromptly.proofs AS f
WHERE f.project_id = sqlc.arg(project_id)::int AND f.effect_id = ANY (sqlc.arg(effect_ids)::text[]::uuid[])
ORDER BY f.effect_id, f.jti;
