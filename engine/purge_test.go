package engine_test

import (
	"strings"
	"testing"
	"time"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
	"github.com/sendpromptly/sendpromptly/internal/callback"
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
		"changes": {`INSERT INTO sendpromptly.changes (subject_id, at, project_id, kind, what) SELECT gen_random_uuid(), sendpromptly.clock(), 1, 'incident', 'opened'`,
			`SELECT count(*) FROM sendpromptly.changes`, 7 * day},
		"secrets that retired": {`INSERT INTO sendpromptly.callback_secrets SELECT 1, gen_random_uuid(), 'x', false, sendpromptly.clock(), sendpromptly.clock()`,
			`SELECT count(*) FROM sendpromptly.callback_secrets`, 7 * day},
		"engines that died": {`INSERT INTO sendpromptly.engines (engine_id, version, host, started_at, seen_at) SELECT gen_random_uuid(), '', '', sendpromptly.clock(), sendpromptly.clock()`,
			`SELECT count(*) FROM sendpromptly.engines`, day},
		"nonces": {`INSERT INTO sendpromptly.nonces SELECT 1, 'n', gen_random_uuid(), '\x00', 200, 'applied', sendpromptly.clock() + interval '24 hours'`,
			`SELECT count(*) FROM sendpromptly.nonces`, day},
		"failures of what left": {`INSERT INTO sendpromptly.deferred_failures (project_id, effect_id, at, not_before) SELECT 1, gen_random_uuid(), sendpromptly.clock(), sendpromptly.clock()`,
			`SELECT count(*) FROM sendpromptly.deferred_failures`, day},
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

// After a rotation both secrets sign for the overlap, so that the app can change over; then the new one alone.
func TestARotatedSecretSignsAlongForTheOverlap(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, status(500))
	old := read[string](t, r.db.Pool, `SELECT convert_from(secret, 'UTF8') FROM sendpromptly.callback_secrets`)
	s, err := rooms.Open(r.db.Pool, "")
	if err != nil {
		t.Fatal(err)
	}
	rotated, err := s.Projects.RotateCallbackSecret(t.Context(), "default", time.Hour, "ada")
	if err != nil {
		t.Fatal(err)
	}
	r.ask("evt_1")
	for _, want := range [][]string{{rotated, old}, {rotated}} {
		r.deliver(1)
		header, body := r.came[len(r.came)-1], r.raw[len(r.raw)-1]
		if signatures := strings.Split(header.Get(callback.SignatureHeader), ","); len(signatures) != len(want) {
			t.Errorf("%d signatures, want %d", len(signatures), len(want))
		}
		now := read[time.Time](t, r.db.Pool, `SELECT sendpromptly.clock()`)
		for _, secret := range []string{old, rotated} {
			_, err := callback.Verify(header, body, []string{secret}, now)
			if holds := err == nil; holds != (secret == rotated || len(want) == 2) {
				t.Errorf("after %d tries the new secret's being %v verifies: %v", len(r.came), secret == rotated, holds)
			}
		}
		r.db.Travel(time.Hour + time.Minute)
	}
}
