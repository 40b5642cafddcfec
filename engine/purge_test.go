package engine_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
	"github.com/sendpromptly/sendpromptly/internal/store/projects"
	"github.com/sendpromptly/sendpromptly/internal/store/rooms"
)

func purge(t *testing.T, e *engine.Engine) {
	t.Helper()
	if _, err := enginetest.Purge(t.Context(), e); err != nil {
		t.Fatal(err)
	}
}

// What has had its time leaves, and not a minute before.
func TestWhatHasHadItsTimeLeaves(t *testing.T) {
	t.Parallel()
	const minute = time.Minute
	for name, test := range map[string]struct {
		make, count string
		after       time.Duration
	}{
		"changes": {
			`INSERT INTO sendpromptly.changes (subject_id, at, project_id, kind, what)
				SELECT gen_random_uuid(), sendpromptly.clock(), 1, 'incident', 'opened'`,
			`SELECT count(*) FROM sendpromptly.changes`, 7 * day,
		},
		"secrets that retired": {
			`INSERT INTO sendpromptly.callback_secrets SELECT 1, gen_random_uuid(), 'x', false, sendpromptly.clock(),
				sendpromptly.clock()`,
			`SELECT count(*) FROM sendpromptly.callback_secrets`, 7 * day,
		},
		"engines that died": {
			`INSERT INTO sendpromptly.engines (engine_id, version, host, started_at, seen_at)
				SELECT gen_random_uuid(), '', '', sendpromptly.clock(), sendpromptly.clock()`,
			`SELECT count(*) FROM sendpromptly.engines`, day,
		},
		"nonces": {
			`INSERT INTO sendpromptly.nonces SELECT 1, 'n', gen_random_uuid(), '\x00', 200, 'applied',
				sendpromptly.clock() + interval '24 hours'`,
			`SELECT count(*) FROM sendpromptly.nonces`, day,
		},
		"failures of what left": {
			`INSERT INTO sendpromptly.deferred_failures (project_id, effect_id, at, not_before)
				SELECT 1, gen_random_uuid(), sendpromptly.clock(), sendpromptly.clock()`,
			`SELECT count(*) FROM sendpromptly.deferred_failures`, day,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := enginetest.New(t)
			e := db.Engine(engine.Config{})
			run(t, db.Pool, test.make)
			db.Travel(test.after - minute)
			purge(t, e)
			if n := read[int](t, db.Pool, test.count); n != 1 {
				t.Errorf("%d rows a minute before", n)
			}
			db.Travel(2 * minute)
			purge(t, e)
			if n := read[int](t, db.Pool, test.count); n != 0 {
				t.Errorf("%d rows a minute after", n)
			}
		})
	}
}

func TestSnapshotsAreSealedBoundAndPurgedAfterThirtyDays(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	st, err := rooms.Open(db.Pool, testSecretKey)
	if err != nil {
		t.Fatal(err)
	}
	count := func() string { return column(t, db.Pool, "SELECT count(*)::text FROM sendpromptly.snapshots")[0] }
	payload := json.RawMessage(`{"card":"4242"}`)

	off := db.Engine(engine.Config{SecretKey: testSecretKey})
	accept(t, db, off, engine.Acceptance{Key: key("evt_off"), Payload: payload})
	if count() != "0" {
		t.Error("kept although the project has snapshots off")
	}
	yes := true
	if _, err := st.Projects.Set(t.Context(), "default", projects.Settings{Snapshots: &yes}, nil, "ada"); err != nil {
		t.Fatal(err)
	}
	keyless := db.Engine(engine.Config{})
	accept(t, db, keyless, engine.Acceptance{Key: key("evt_keyless"), Payload: payload})
	if count() != "0" {
		t.Error("kept without a key")
	}
	on := db.Engine(engine.Config{SecretKey: testSecretKey})
	err = pgx.BeginFunc(t.Context(), db.Pool, func(tx pgx.Tx) error {
		_, err := on.AcceptMany(
			t.Context(),
			tx,
			[]engine.Acceptance{{Key: key("evt_1"), Payload: payload}, {Key: key("evt_2"), Payload: payload}},
		)
		return err
	})
	if err != nil || count() != "2" {
		t.Fatalf("%s snapshots, %v", count(), err)
	}
	if leaks := column(
		t,
		db.Pool,
		"SELECT s.effect_id::text FROM sendpromptly.snapshots AS s WHERE position('4242'::bytea IN s.sealed) > 0",
	); len(
		leaks,
	) > 0 {
		t.Error("a payload lies in the clear")
	}
	db.Travel(30*24*time.Hour - time.Minute)
	if _, err := enginetest.Purge(t.Context(), on); err != nil || count() != "2" {
		t.Errorf("%s snapshots after almost thirty days, %v", count(), err)
	}
	db.Travel(2 * time.Minute)
	if _, err := enginetest.Purge(t.Context(), on); err != nil || count() != "0" {
		t.Errorf("%s snapshots after thirty days, %v", count(), err)
	}
}
