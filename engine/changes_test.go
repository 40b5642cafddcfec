package engine_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
)

// feed is one connection to Changes.
type feed struct {
	changes chan engine.Change
	errors  chan error
	leave   context.CancelFunc
	ended   <-chan error
}

// follow reads the feed from a cursor on until leave is called.
func follow(t testing.TB, e *engine.Engine, after string) *feed {
	ctx, leave := context.WithCancel(t.Context())
	f := &feed{changes: make(chan engine.Change, 10_000), errors: make(chan error, 10_000), leave: leave}
	f.ended = start(func() error {
		for change, err := range e.Changes(ctx, after) {
			if err != nil {
				f.errors <- err
				continue
			}
			f.changes <- change
		}
		return nil
	})
	t.Cleanup(leave)
	return f
}

func (f *feed) next(t testing.TB, n int) []engine.Change {
	t.Helper()
	got := make([]engine.Change, n)
	for i := range got {
		got[i] = receive(t, fmt.Sprintf("change %d of %d", i+1, n), f.changes)
	}
	return got
}

func feedDatabase(t *testing.T) (*enginetest.Database, *engine.Engine) {
	db := enginetest.New(t)
	run(t, db.Pool, `UPDATE sendpromptly.projects SET repair_url = 'https://shop.example/repair'`)
	return db, engineOn(t, newPool(t, db, "console", 4), engine.Config{SweepInterval: 10 * time.Millisecond})
}

// waitSettled returns once no transaction is left, in the whole cluster, that
// could put a change before those that are there.
func waitSettled(t testing.TB, db *enginetest.Database) {
	t.Helper()
	eventually(t, "all changes are settled", func() bool {
		return read[bool](t, db.Pool, `SELECT pg_snapshot_xmin(pg_current_snapshot()) > max(xid) FROM sendpromptly.changes`)
	})
}

// A change that commits after later ones were delivered comes too, on the
// connection that is open and on one that resumes from a later change's cursor.
// It catches a feed that remembers the greatest number it has seen.
func TestAChangeThatCommitsLateIsNotLost(t *testing.T) {
	t.Parallel()
	db, e := feedDatabase(t)
	found := missing(t, db, e, key("evt_slow"), key("evt_quick"))
	waitSettled(t, db)
	first := follow(t, e, "")
	first.next(t, 2)

	tx := open(t, db.Pool, pgx.TxOptions{})
	run(t, tx, `SELECT sendpromptly.reprocess($1, 'ada', '1 hour')`, string(found[0].ID))
	if _, err := e.Reprocess(t.Context(), found[1].ID, "bob"); err != nil {
		t.Fatal(err)
	}
	quick := first.next(t, 1)[0]
	if quick.ID != string(found[1].ID) || quick.Kind != "attempt" || quick.What != "requested" || quick.Project != "default" ||
		quick.At.IsZero() {
		t.Errorf("change = %+v", quick)
	}
	second := follow(t, e, quick.Cursor)
	if again := second.next(t, 1)[0]; again != quick {
		t.Errorf("behind an open transaction a resumed feed begins with %+v, want %+v once more", again, quick)
	}
	finish(t, tx, true)
	for name, f := range map[string]*feed{"open": first, "resumed": second} {
		if slow := f.next(t, 1)[0]; slow.ID != string(found[0].ID) || slow.What != "requested" {
			t.Errorf("on the %s connection came %+v, want the late change", name, slow)
		}
	}
	if _, err := e.Stop(t.Context(), found[1].ID, "bob"); err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]*feed{"open": first, "resumed": second} {
		if last := f.next(t, 1)[0]; last.ID != string(found[1].ID) || last.What != "failed" {
			t.Errorf("on the %s connection came %+v: something was delivered twice", name, last)
		}
	}
}

// An old transaction commits while the feed is between two pages: what it wrote lies before both and still comes. It
// catches a feed that goes on from the second page, which is settled by then.
func TestAChangeThatCommitsBetweenTwoPagesIsNotLost(t *testing.T) {
	t.Parallel()
	db, e := feedDatabase(t)
	const page = 500
	write := func(tx pgx.Tx, what string, n int) {
		run(t, tx, `INSERT INTO sendpromptly.changes (subject_id, at, project_id, kind, what)
			SELECT gen_random_uuid(), sendpromptly.clock(), 1, 'incident', $1 FROM generate_series(1, $2::int)`, what, n)
	}
	old, young := open(t, db.Pool, pgx.TxOptions{}), open(t, db.Pool, pgx.TxOptions{})
	write(old, "old", 1)
	write(young, "young", page+100)
	finish(t, young, true)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	came := map[string]bool{}
	for change, err := range e.Changes(ctx, "") {
		if err != nil {
			t.Fatal(err)
		}
		if came[change.ID] {
			t.Fatal("a change came twice")
		}
		if came[change.ID] = true; len(came) == page {
			finish(t, old, true)
		}
		if change.What == "old" {
			return
		}
	}
	t.Errorf("the old change is lost: %d came", len(came))
}

// Settled changes come exactly once, in order, over as many pages as they take,
// and a feed resumes behind the change whose cursor it is given. It catches a
// page that is skipped or repeated, and a cursor that lags behind for no reason.
func TestSettledChangesComeOnceAndResumeExactly(t *testing.T) {
	t.Parallel()
	const n = 1203
	db, e := feedDatabase(t)
	acceptAll(t, db, e, "evt", n, time.Minute)
	db.Travel(2 * time.Minute)
	if opened := sweep(t, e); opened != n {
		t.Fatalf("%d incidents", opened)
	}
	waitSettled(t, db)
	all := follow(t, e, "").next(t, n)
	seen := map[string]bool{}
	for _, change := range all {
		if change.Kind != "incident" || change.What != "opened" || seen[change.ID] || seen[change.Cursor] {
			t.Fatalf("change = %+v, seen before: %v", change, seen[change.ID])
		}
		seen[change.ID], seen[change.Cursor] = true, true
	}
	for _, at := range []int{0, 499, 500, 700, n - 2} {
		rest := follow(t, e, all[at].Cursor).next(t, n-1-at)
		if !slices.Equal(rest, all[at+1:]) {
			t.Errorf("resumed behind change %d, the feed begins with %+v", at, rest[0])
		}
	}
	ended := follow(t, e, all[n-1].Cursor)
	if err := e.CloseIncident(t.Context(), engine.IncidentID(all[5].ID), "ada", "refunded"); err != nil {
		t.Fatal(err)
	}
	if change := ended.next(t, 1)[0]; change.ID != all[5].ID || change.What != "closed" {
		t.Errorf("the first new change is %+v", change)
	}
}

// Writers whose transactions commit in another order than they began, and roll
// back now and then, while a reader reconnects again and again from its last
// cursor: every change arrives. It catches losses that one late commit does not show.
func TestAReaderThatReconnectsMissesNothing(t *testing.T) {
	t.Parallel()
	writers, rounds := 6, 12
	if heavy() {
		rounds = 400
	}
	db, e := feedDatabase(t)
	found := incidents(t, db, e, "evt", writers)
	pool := newPool(t, db, "writers", int32(writers))

	got := map[string]bool{}
	var mu sync.Mutex
	reading, enough := context.WithCancel(t.Context())
	reader := start(func() error {
		for cursor := ""; reading.Err() == nil; {
			ctx, leave := context.WithCancel(reading)
			left := 1 + rand.IntN(8)
			for change, err := range e.Changes(ctx, cursor) {
				if err != nil {
					leave()
					return err
				}
				cursor = change.Cursor
				mu.Lock()
				got[change.ID+change.What+change.At.UTC().Format(time.RFC3339Nano)] = true
				mu.Unlock()
				if left--; left == 0 {
					break
				}
			}
			leave()
		}
		return nil
	})
	var writing sync.WaitGroup
	for _, incident := range found {
		writing.Go(func() {
			for range rounds {
				err := pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
					for _, statement := range []string{
						`SELECT sendpromptly.reprocess($1, 'ada', '1 hour')`, `SELECT sendpromptly.stop($1, 'ada')`,
					} {
						if _, err := tx.Exec(t.Context(), statement, string(incident.ID)); err != nil {
							return err
						}
						<-time.After(rand.N(12 * time.Millisecond))
					}
					if rand.IntN(5) == 0 {
						return context.Canceled // rolled back
					}
					return nil
				})
				if err != nil && !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
			}
		})
	}
	writing.Wait()
	rows, err := db.Pool.Query(t.Context(), `SELECT subject_id::text, what, at FROM sendpromptly.changes`)
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	var id, what string
	var at time.Time
	if _, err := pgx.ForEachRow(rows, []any{&id, &what, &at}, func() error {
		want = append(want, id+what+at.UTC().Format(time.RFC3339Nano))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "every change has arrived", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return !slices.ContainsFunc(want, func(change string) bool { return !got[change] })
	})
	enough()
	if err := receive(t, "the reader ends", reader); err != nil {
		t.Error(err)
	}
	for change := range got {
		if !slices.Contains(want, change) {
			t.Errorf("a change arrived that was never committed: %s", change)
		}
	}
}

// Trouble with the database is told and does not end the feed; a wrong cursor
// does; so does the end of the context, without an error.
func TestTheFeedOutlivesTrouble(t *testing.T) {
	t.Parallel()
	db, e := feedDatabase(t)
	f := follow(t, e, "")
	run(t, db.Pool, `ALTER TABLE sendpromptly.changes RENAME TO changes_gone`)
	if err := receive(t, "the trouble", f.errors); sqlState(err) != "42P01" {
		t.Errorf("error = %v", err)
	}
	run(t, db.Pool, `ALTER TABLE sendpromptly.changes_gone RENAME TO changes`)
	found := missing(t, db, e, key("evt_1"))
	if change := f.next(t, 1)[0]; change.ID != string(found[0].ID) {
		t.Errorf("change = %+v", change)
	}
	f.leave()
	if err := receive(t, "the feed ends with its context", f.ended); err != nil {
		t.Error(err)
	}

	for _, cursor := range []string{
		"-", "1", "1-", "-1", "x-1", "1-x", "99999999999999999999-1", "1-1 ", "\x00-1", "1-99999999999999999999",
	} {
		wrong := follow(t, e, cursor)
		if err := receive(t, "a wrong cursor ends the feed", wrong.ended); err != nil {
			t.Error(err)
		}
		if len(wrong.errors) != 1 || len(wrong.changes) != 0 {
			t.Fatalf("%q: %d errors, %d changes", cursor, len(wrong.errors), len(wrong.changes))
		}
		requireField(t, <-wrong.errors, "after")
	}
}
