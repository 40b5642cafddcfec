-- name: WorkWaiting :one
-- WorkWaiting says which steps have something to do, in one round trip.
-- work_waiting is defined in sql/functions/look.sql.
SELECT r.started::timestamptz AS started, r.failures::boolean AS failures, r.attempts::boolean AS attempts, r.deadlines::boolean AS deadlines,
  r.callbacks::boolean AS callbacks, r.entries::bigint AS entries
FROM sendpromptly.work_waiting(sqlc.narg(since)::timestamptz) AS r(started, failures, attempts, deadlines, callbacks, entries);

-- name: WorkLook :one
-- WorkLook says whether any step of an engine has something to do, in one round trip.
-- look is defined in sql/functions/look.sql.
SELECT r.started::timestamptz AS started, r.failures::boolean AS failures, r.attempts::boolean AS attempts, r.deadlines::boolean AS deadlines,
  r.callbacks::boolean AS callbacks, r.entries::bigint AS entries, r.unsealed::boolean AS unsealed, r.unfolded::boolean AS unfolded
FROM sendpromptly.look(sqlc.narg(since)::timestamptz) AS r(started, failures, attempts, deadlines, callbacks, entries, unsealed, unfolded);

-- name: FailuresFold :one
-- FailuresFold records failures that had found their arbiter locked, with apart each in a subtransaction.
-- fold_failures is defined in sql/functions/sweep.sql.
SELECT r.taken::int AS taken, r.folded::int AS folded, r.opened::int AS opened, coalesce(r.told, '')::text AS told
FROM sendpromptly.fold_failures(sqlc.arg(batch)::int, sqlc.arg(apart)::boolean) AS r(taken, folded, opened, told);

-- name: AttemptsExpire :one
-- AttemptsExpire ends attempts whose due time passed, with apart each in a subtransaction.
-- expire_attempts is defined in sql/functions/sweep.sql.
SELECT r::int AS taken FROM sendpromptly.expire_attempts(sqlc.arg(batch)::int, sqlc.arg(apart)::boolean) AS r;

-- name: OverdueOpen :one
-- OverdueOpen opens incidents for first deadlines that passed.
-- open_overdue is defined in sql/functions/sweep.sql.
SELECT r.started::timestamptz AS started, r.taken::int AS taken, r.held::int AS held, r.opened::int AS opened,
  coalesce(r.reached, r.started)::timestamptz AS reached, coalesce(r.told, '')::text AS told
FROM sendpromptly.open_overdue(sqlc.arg(batch)::int, sqlc.narg(last_pass)::timestamptz, sqlc.narg(since)::timestamptz)
  AS r(started, taken, held, opened, reached, told);

-- name: OverdueSetAside :one
-- OverdueSetAside defers the first overdue row by an hour if its incident cannot be opened, and says why.
-- set_aside is defined in sql/functions/sweep.sql.
SELECT coalesce(r, '')::text AS problem FROM sendpromptly.set_aside() AS r;

-- name: OverdueLockedCount :one
-- OverdueLockedCount counts overdue rows that a complete pass left, up to 1,000.
-- overdue_locked is defined in sql/functions/sweep.sql.
SELECT r::int AS locked FROM sendpromptly.overdue_locked(sqlc.arg(started)::timestamptz, sqlc.narg(since)::timestamptz) AS r;
