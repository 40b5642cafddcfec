package engine_test

import (
	"testing"

	"github.com/sendpromptly/sendpromptly/engine/enginetest"
)

// Ids sort as they were made, to the microsecond, are of version 7 and variant 1, and none lies below its moment's floor.
func TestIdsSortAsTheyWereMade(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	for _, since := range []string{"2026-11-25 23:59:59.998", "1970-01-01 00:00:00", "2200-12-31 23:59:59.999"} {
		wrong := column(
			t,
			db.Pool,
			`WITH made AS (SELECT at, sendpromptly.uuid7(at) AS id
				FROM (SELECT $1::timestamp AT TIME ZONE 'UTC' + n * interval '1 us' AS at FROM generate_series(0, 4000) AS n) AS m)
			SELECT at || ' ' || id FROM (SELECT at, id, lag(id) OVER (ORDER BY at) AS last FROM made) AS m
			WHERE id <= last OR id < sendpromptly.uuid7_floor(at) OR id >= sendpromptly.uuid7_floor(at + interval '1 ms')
				OR id::text !~ '^.{14}7.{4}[89ab]'`,
			since,
		)
		if len(wrong) > 0 {
			t.Errorf("%d of 4001 ids are out of order or form, the first %s", len(wrong), wrong[0])
		}
	}
}

// The ids of a batch sort as they are numbered, carry its moment, and no two batches of one moment share any.
func TestIdsOfABatchSortAsTheyAreNumbered(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	const at = "timestamptz '2026-11-25 23:59:59.998Z'"
	wrong := column(t, db.Pool, `WITH made AS (SELECT s.batch, n, sendpromptly.uuid7_nth(s.head, s.tail, s.stride, n) AS id
			FROM (SELECT batch, u.* FROM generate_series(1, 200) AS batch,
				LATERAL sendpromptly.uuid7_seed(`+at+` + (batch / 100) * interval '1 us') AS u) AS s,
				unnest(ARRAY[1, 2, 3, 1000, 2000000]) AS n)
		SELECT batch || '/' || n || ': ' || id FROM (
			SELECT *, lag(id) OVER (PARTITION BY batch ORDER BY n) AS last, count(*) OVER (PARTITION BY id) AS times FROM made) AS m
		WHERE id <= last OR times > 1 OR id < sendpromptly.uuid7_floor(`+at+`)
			OR id >= sendpromptly.uuid7_floor(`+at+` + interval '1 ms') OR id::text !~ '^.{14}7.{4}[89ab]'`)
	if len(wrong) > 0 {
		t.Errorf("%d of 1,000 ids are out of order or form, the first %s", len(wrong), wrong[0])
	}
}
