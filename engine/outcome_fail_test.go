package engine_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
)

// aside counts the failures that wait to be folded in.
func aside(t testing.TB, db *enginetest.Database) int {
	return read[int](t, db.Pool, `SELECT count(*) FROM sendpromptly.deferred_failures`)
}

// Fail called before the deferred rollback, while the caller's own transaction
// holds the arbiter, returns at once and is not lost: the sweep after the end of
// the transaction folds it in, as a failure after a rollback and as a mere entry
// after a commit. It catches a Fail that waits for its own caller, which nothing
// would ever end, and a fold that forgets or does not look again.
func TestFailBeforeTheDeferredRollbackNeitherHangsNorGetsLost(t *testing.T) {
	t.Parallel()
	awaiting := func(t *testing.T, db *enginetest.Database, e *engine.Engine, k engine.Key) {
		accept(t, db, e, engine.Acceptance{Key: k})
	}
	isMissing := func(t *testing.T, db *enginetest.Database, e *engine.Engine, k engine.Key) { missing(t, db, e, k) }
	holdsOwed := func(tx pgx.Tx, _ *engine.Engine, _ engine.Key) error {
		_, err := tx.Exec(context.Background(), `SELECT 1 FROM sendpromptly.owed FOR UPDATE`)
		return err
	}
	hasSucceeded := func(tx pgx.Tx, e *engine.Engine, k engine.Key) error { return e.Succeed(context.Background(), tx, k) }
	for name, test := range map[string]struct {
		from       func(*testing.T, *enginetest.Database, *engine.Engine, engine.Key)
		hold       func(pgx.Tx, *engine.Engine, engine.Key) error
		commit     bool
		story      string
		thenExtra  string
		finalState engine.State
	}{
		"succeeded, rolls back": {
			awaiting, hasSucceeded, false, "receipt→awaiting", " failure→failed opened", engine.StateFailed,
		},
		"succeeded, commits": {
			awaiting, hasSucceeded, true, "receipt→awaiting success→applied", " failure", engine.StateApplied,
		},
		"holds the row, rolls back": {
			awaiting, holdsOwed, false, "receipt→awaiting", " failure→failed opened", engine.StateFailed,
		},
		"holds the row, commits": {
			awaiting, holdsOwed, true, "receipt→awaiting", " failure→failed opened", engine.StateFailed,
		},
		"succeeded while open, rolls back": {
			isMissing, hasSucceeded, false, "receipt→awaiting deadline→missing opened", " failure→failed", engine.StateFailed,
		},
		"succeeded while open, then commits": {
			isMissing, hasSucceeded, true, "receipt→awaiting deadline→missing opened success→applied resolved",
			" failure", engine.StateApplied,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := enginetest.New(t)
			e := db.Engine(engine.Config{})
			k := key("evt_1")
			test.from(t, db, e, k)
			tx := open(t, db.Pool, pgx.TxOptions{})
			if err := test.hold(tx, e, k); err != nil {
				t.Fatal(err)
			}
			failed := start(func() error { return e.Fail(t.Context(), k, errNoAccount, engine.WithCode("e1")) })
			if err := receive(t, "Fail returns although its caller holds the row", failed); err != nil {
				t.Fatal(err)
			}
			if n := aside(t, db); n != 1 {
				t.Fatalf("%d failures aside, want 1", n)
			}
			sweep(t, e) // still locked: it stays aside
			if n := aside(t, db); n != 1 {
				t.Fatalf("%d failures aside after a sweep, want 1", n)
			}
			finish(t, tx, test.commit)
			requireStory(t, db, k, test.story)
			db.Travel(2 * time.Second) // what was found locked waits a second
			sweep(t, e)
			requireStory(t, db, k, test.story+test.thenExtra)
			db.RequireState(k, test.finalState)
			if n := aside(t, db); n != 0 {
				t.Errorf("%d failures are still aside", n)
			}
			if test.finalState == engine.StateFailed {
				if i := db.RequireIncident(k, engine.CauseFailed); i.ErrorMessage != "no such account" || i.ErrorCode != "e1" {
					t.Errorf("recorded %q, %q", i.ErrorCode, i.ErrorMessage)
				}
			}
			db.RequireSound()
		})
	}
}

// The sweep right after the rollback folds a failure in that no sweep has seen
// locked yet: it waits only where it was found locked again.
func TestTheFirstSweepAfterTheRollbackFoldsTheFailureIn(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	e := db.Engine(engine.Config{})
	k := key("evt_1")
	accept(t, db, e, engine.Acceptance{Key: k})
	err := func() error { // the caller as apps write it
		tx, err := db.Pool.Begin(t.Context())
		if err != nil {
			return err
		}
		defer func() { _ = tx.Rollback(t.Context()) }()
		if err := e.Succeed(t.Context(), tx, k); err != nil {
			return err
		}
		return e.Fail(t.Context(), k, errNoAccount)
	}()
	if err != nil {
		t.Fatal(err)
	}
	sweep(t, e)
	requireStory(t, db, k, "receipt→awaiting failure→failed opened")
	db.RequireSound()
}

// A failure that was reported before an operator asked for a repair, and was
// only folded in afterwards, says nothing about that repair: the attempt goes
// on. One that names the attempt, or was reported after it began, ends it.
func TestAFailureFromBeforeTheAttemptDoesNotEndIt(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	e := db.Engine(engine.Config{})
	run(t, db.Pool, `UPDATE sendpromptly.projects SET repair_url = 'https://shop.example/repair'`)
	incident := missing(t, db, e, key("evt_1"))[0]
	tx := open(t, db.Pool, pgx.TxOptions{})
	if err := e.Succeed(t.Context(), tx, incident.Key); err != nil {
		t.Fatal(err)
	}
	if err := e.Fail(t.Context(), incident.Key, errNoAccount); err != nil {
		t.Fatal(err)
	}
	asking := start(func() error { _, err := e.Reprocess(t.Context(), incident.ID, "ada"); return err })
	waitBlocked(t, db, tx, 1)
	finish(t, tx, false)
	if err := receive(t, "the operator's reprocess", asking); err != nil {
		t.Fatal(err)
	}
	sweep(t, e)
	requireStory(t, db, incident.Key, "receipt→awaiting deadline→missing opened reprocess→reprocessing failure")

	if err := e.Fail(t.Context(), incident.Key, errNoAccount); err != nil {
		t.Fatal(err)
	}
	requireStory(t, db, incident.Key, "receipt→awaiting deadline→missing opened reprocess→reprocessing failure failure→failed")
	db.RequireSound()
}

// A failure is recorded although the caller's context ended long ago. It catches
// a Fail that uses the caller's context as it is.
func TestFailWorksWithACancelledContext(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	e := db.Engine(engine.Config{})
	k := key("evt_1")
	accept(t, db, e, engine.Acceptance{Key: k})
	ctx, cancel := context.WithCancel(t.Context())
	tx, err := db.Pool.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.Background()) }()
	if err := e.Succeed(ctx, tx, k); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := e.Fail(ctx, k, ctx.Err()); err != nil {
		t.Fatal(err)
	}
	_ = tx.Rollback(t.Context())
	sweep(t, e)
	requireStory(t, db, k, "receipt→awaiting failure→failed opened")
	if i := db.RequireIncident(k, engine.CauseFailed); i.ErrorMessage != "context canceled" {
		t.Errorf("recorded %q", i.ErrorMessage)
	}
	db.RequireSound()
}

// Fail waits two seconds for a connection and no longer, and says that the
// failure could not be recorded. It catches an unbounded wait for a pool that
// the failing caller itself has emptied.
func TestFailGivesUpOnAnEmptyPool(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	e := engineOn(t, newPool(t, db, "app", 1), engine.Config{})
	k := key("evt_1")
	accept(t, db, e, engine.Acceptance{Key: k})
	pool := newPool(t, db, "app", 1)
	full := engineOn(t, pool, engine.Config{})
	conn, err := pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	began := time.Now()
	err = full.Fail(t.Context(), k, errNoAccount)
	if took := time.Since(
		began,
	); !errors.Is(err, context.DeadlineExceeded) || took < 1900*time.Millisecond ||
		took > 10*time.Second {
		t.Errorf("error = %v after %s", err, took)
	}
	requireStory(t, db, k, "receipt→awaiting")
}

// Whatever the cause says, the failure is recorded with as much of it as can be
// kept: cut on a rune boundary, without NUL, in valid UTF-8. It catches a
// message that is the reason why a failure goes unrecorded.
func TestAFailureIsRecordedWhateverItsMessage(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	e := db.Engine(engine.Config{})
	for name, test := range map[string]struct {
		cause error
		code  string
		want  func(message, code string) bool
	}{
		"nil":           {nil, "", func(m, c string) bool { return m == "no cause given" && c == "" }},
		"a nil pointer": {(*brokenError)(nil), "", func(m, _ string) bool { return m == "<nil>" }},
		"empty":         {errors.New(""), "", func(m, _ string) bool { return m == "" }},
		"100 kB": {
			errors.New(strings.Repeat("é", 50_000)),
			strings.Repeat("c", 10_000),
			func(m, c string) bool { return m == strings.Repeat("é", 2000) && c == strings.Repeat("c", 128) },
		},
		"across a rune": {
			errors.New("a" + strings.Repeat("é", 50_000)),
			"",
			func(m, _ string) bool { return m == "a"+strings.Repeat("é", 1999) },
		},
		"NUL":           {errors.New("boom\x00 at 0\x00"), "\x00e1", func(m, c string) bool { return m == "boom at 0" && c == "e1" }},
		"invalid UTF-8": {errors.New("caf\xe9"), "\xff", func(m, c string) bool { return m == "caf\uFFFD" && c == "\uFFFD" }},
		"surrogate":     {errors.New("half \xed\xa0\x80"), "", func(m, _ string) bool { return strings.HasPrefix(m, "half \uFFFD") }},
		"only broken": {
			errors.New(strings.Repeat("a\xff", 50_000)),
			"",
			func(m, _ string) bool { return utf8.ValidString(m) && len(m) > 1000 },
		},
	} {
		k := key("evt_" + strings.ReplaceAll(name, " ", "_"))
		accept(t, db, e, engine.Acceptance{Key: k})
		if err := e.Fail(
			t.Context(),
			k,
			test.cause,
			engine.WithCode(test.code),
			engine.WithReplay("\x00\xff"+strings.Repeat("r", 100)),
		); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if i := db.RequireIncident(k, engine.CauseFailed); !test.want(i.ErrorMessage, i.ErrorCode) {
			t.Errorf("%s: recorded %d bytes %.40q, code %.20q", name, len(i.ErrorMessage), i.ErrorMessage, i.ErrorCode)
		}
	}
	db.RequireSound()
}

// brokenError is an error of the app's whose text cannot be had from nil.
type brokenError struct{ text string }

func (b *brokenError) Error() string { return b.text }
