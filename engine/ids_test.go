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
		wrong := column(t, db.Pool, `WITH made AS (SELECT at, sendpromptly.uuid7(at) AS id FROM (SELECT $1::timestamp AT TIME ZONE 'UTC' + n * interval '1 us' AS at FROM generate_series(0, 4000) AS n) AS m)
			SELECT at || ' ' || id FROM (SELECT at, id, lag(id) OVER (ORDER BY at) AS last FROM made) AS m
			WHERE id <= last OR id < sendpromptly.uuid7_floor(at) OR id >= sendpromptly.uuid7_floor(at + interval '1 ms') OR id::text !~ '^.{14}7.{4}[89ab]'`, since)
		if len(wrong) > 0 {
			t.Errorf("%d of 4001 ids are out of order or form, the first %s", len(wrong), wrong[0])
		}
	}
}
