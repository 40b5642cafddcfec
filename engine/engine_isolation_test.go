package engine_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
)

var isolationLevels = []pgx.TxIsoLevel{pgx.ReadCommitted, pgx.RepeatableRead, pgx.Serializable}

// caller is an app that works at one isolation level and repeats what Postgres
// tells it to repeat.
type caller struct {
	pool     *pgxpool.Pool
	level    pgx.TxIsoLevel
	repeated atomic.Int64
}

// do runs work as a transaction that has read something before, and repeats it
// for 40001 and for nothing else.
func (c *caller) do(ctx context.Context, work func(tx pgx.Tx) error) error {
	for {
		err := pgx.BeginTxFunc(ctx, c.pool, pgx.TxOptions{IsoLevel: c.level}, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, `INSERT INTO public.orders SELECT count(*) FROM public.orders`); err != nil {
				return err
			}
			return work(tx)
		})
		if sqlState(err) != "40001" || c.level == pgx.ReadCommitted {
			return err
		}
		c.repeated.Add(1)
	}
}

// Callers at each isolation level race with sweeps, operators and senders: every
// effect ends applied with nothing open beside it, and 40001 is the only error
// that a caller ever sees. It catches an outcome that decides by a row it only
// read, which a snapshot may show as it was.
func TestCallersAtEveryIsolationLevelEndSound(t *testing.T) {
	t.Parallel()
	for _, level := range isolationLevels {
		t.Run(string(level), func(t *testing.T) {
			t.Parallel()
			db := enginetest.New(t)
			run(t, db.Pool, `CREATE TABLE public.orders (n bigint)`)
			run(t, db.Pool, `UPDATE sendpromptly.projects SET repair_url = 'https://shop.example/repair'`)
			e := engineOn(t, newPool(t, db, "engine", 8), engine.Config{})
			app := &caller{pool: newPool(t, db, "app", 8), level: level}
			rounds, size := 4, 24
			if heavy() {
				rounds, size = 60, 48
			}
			for r := range rounds {
				raceAtLevel(t, db, e, app, r, size)
			}
			db.Travel(3 * time.Hour)
			sweep(t, e)
			db.RequireSound()
			if n := read[int](t, db.Pool, `SELECT count(*) FROM sendpromptly.incidents WHERE state <> 'applied'`); n != 0 {
				t.Errorf("%d incidents are not applied although every effect succeeded", n)
			}
			t.Logf("%s: %d transactions repeated", level, app.repeated.Load())
		})
	}
}

// raceAtLevel accepts a few effects, each from two sides, and lets their
// successes race with everything else.
func raceAtLevel(t *testing.T, db *enginetest.Database, e *engine.Engine, app *caller, round, size int) {
	ctx := t.Context()
	keys := make([]engine.Key, size)
	for i := range keys {
		keys[i] = key(fmt.Sprintf("evt_%d_%d", round, i))
	}
	everywhere(t, 6, 2*size, func(i int) error { // each key comes twice
		return app.do(ctx, func(tx pgx.Tx) error {
			_, err := e.Accept(ctx, tx, engine.Acceptance{Key: keys[i/2]})
			return err
		})
	})
	db.Travel(31 * time.Minute)
	var others sync.WaitGroup
	racing, enough := context.WithCancel(ctx)
	for range 2 {
		others.Go(func() {
			for racing.Err() == nil {
				if err := meddle(ctx, db, e); err != nil {
					t.Errorf("an engine or operator: %v", err)
					return
				}
			}
		})
	}
	everywhere(t, 6, size, func(i int) error {
		return app.do(ctx, func(tx pgx.Tx) error { return e.Succeed(ctx, tx, keys[i]) })
	})
	enough()
	others.Wait()
}

// meddle sweeps, asks for a repair of one open incident and claims its callback.
func meddle(ctx context.Context, db *enginetest.Database, e *engine.Engine) error {
	if _, err := enginetest.Sweep(ctx, e); err != nil {
		return err
	}
	page, err := e.Incidents(ctx, engine.IncidentFilter{Open: true, Limit: 3})
	if err != nil {
		return err
	}
	for _, incident := range page.Incidents {
		if _, err := e.Reprocess(ctx, incident.ID, "ada"); err != nil && !turnedDown(err) {
			return err
		}
		if _, err := db.Pool.Exec(ctx, `SELECT sendpromptly.claim_callbacks(1)`); err != nil {
			return err
		}
		if err := e.Fail(ctx, incident.Key, errors.New("no such account")); err != nil {
			return err
		}
	}
	return nil
}

// everywhere calls f for 0 to n-1 from several goroutines.
func everywhere(t *testing.T, goroutines, n int, f func(i int) error) {
	var next atomic.Int64
	var all sync.WaitGroup
	for range goroutines {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				if err := f(i); err != nil {
					t.Errorf("a caller: %v", err)
				}
			}
		})
	}
	all.Wait()
}

// A caller whose snapshot is older than what others did meanwhile gets 40001 and
// nothing is recorded; repeated, it records the truth. At READ COMMITTED it need
// not repeat. It catches a signal that reads the arbiter without touching it.
func TestAnOldSnapshotIsRefusedAndNeverWrong(t *testing.T) {
	t.Parallel()
	succeeds := func(s *scene, tx pgx.Tx) error { return s.e.Succeed(t.Context(), tx, s.k) }
	accepts := func(s *scene, tx pgx.Tx) error {
		_, err := s.e.Accept(t.Context(), tx, engine.Acceptance{Key: key("evt_new")})
		return err
	}
	failsInSQL := func(s *scene, tx pgx.Tx) error {
		_, err := tx.Exec(t.Context(), `SELECT sendpromptly.fail('stripe', $1, 'credit_grant')`, s.k.EventID)
		return err
	}
	for _, test := range []struct {
		name, from string
		meanwhile  move
		call       func(s *scene, tx pgx.Tx) error
		story      string
	}{
		{"success after a sweep", overdue, opening, succeeds, "deadline→missing opened success→applied resolved"},
		{"success after a failure", overdue, failure, succeeds, "failure→failed opened success→applied resolved"},
		{"success after a success", overdue, success, succeeds, "success→applied success"},
		{"success after a reprocess", opened, reprocess, succeeds, "reprocess→reprocessing success→applied resolved = applied"},
		{"success after a close", opened, closing, succeeds, "closed→closed success→applied"},
		{"success after a claim", asked, claiming, succeeds, "success→applied resolved = applied"},
		{"success after an answer", claimed, isAccepted, succeeds, "callback accepted success→applied resolved = applied"},
		{"success after an expiry", dueForExpiry, expiring, succeeds, "deadline→missing success→applied resolved = missing"},
		{"failure after a sweep", overdue, opening, failsInSQL, "deadline→missing opened failure→failed"},
		{"failure after a success", opened, success, failsInSQL, "success→applied resolved failure"},
		{"receipt after the same receipt", opened, move{call: func(_ context.Context, s *scene) error {
			accept(t, s.db, s.e, engine.Acceptance{Key: key("evt_new")})
			return nil
		}}, accepts, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			db := enginetest.New(t)
			e := db.Engine(engine.Config{})
			run(t, db.Pool, `UPDATE sendpromptly.projects SET repair_url = 'https://shop.example/repair'`)
			s := set(t, db, e, "evt_old", test.from)
			tx := open(t, db.Pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead})
			read[int](t, tx, `SELECT count(*) FROM sendpromptly.effects`) // the snapshot
			if err := test.meanwhile.call(t.Context(), s); err != nil {
				t.Fatal(err)
			}
			if err := test.call(s, tx); sqlState(err) != "40001" {
				t.Fatalf("error = %v, want 40001", err)
			}
			finish(t, tx, false)

			again := open(t, db.Pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead})
			if err := test.call(s, again); err != nil {
				t.Fatalf("repeated: %v", err)
			}
			finish(t, again, true)
			if got := s.story(t); got != test.story {
				t.Errorf("story = %s, want %s", got, test.story)
			}
			db.RequireSound()
		})
	}
}

// isolationOf records at which isolation level each table was written, by whom.
const isolationOf = `
CREATE TABLE public.written (app text, level text, target text);
CREATE FUNCTION public.note_level() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
  INSERT INTO public.written VALUES (current_setting('application_name'), current_setting('transaction_isolation'),
    TG_TABLE_NAME);
  RETURN NULL;
END $$;
DO $$ DECLARE name text; BEGIN
  FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'sendpromptly' LOOP
    EXECUTE format('CREATE TRIGGER note_level AFTER INSERT OR UPDATE OR DELETE ON sendpromptly.%I
      FOR EACH STATEMENT EXECUTE FUNCTION public.note_level()', name);
  END LOOP;
  EXECUTE format('ALTER DATABASE %I SET default_transaction_isolation = serializable', current_database());
END $$`

// In a database whose transactions are serializable by default, whatever the
// engine writes on its own account it writes at READ COMMITTED: its guards need a
// fresh snapshot for each statement, and its steps may not fail with 40001. It
// catches every write that goes around the engine's own transactions.
func TestEngineOwnedTransactionsAreReadCommittedWhateverTheDefault(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	run(t, db.Pool, isolationOf)
	db.Pool.Reset()
	if level := read[string](t, db.Pool, `SHOW default_transaction_isolation`); level != "serializable" {
		t.Fatalf("the default is %s", level)
	}
	e := engineOn(t, newPool(t, db, "engine", 8), engine.Config{AllowNetworks: loopback, SweepInterval: 10 * time.Millisecond})
	var result error
	server := httptest.NewServer(e.RepairHandler(func(context.Context, pgx.Tx, engine.Repair) error { return result }))
	defer server.Close()
	repairAt(t, db, server)
	found := incidents(t, db, e, "evt", 4)

	for i, err := range []error{nil, errors.New("try later"), engine.Permanent(errors.New("never"))} {
		result = err
		if _, err := e.Reprocess(t.Context(), found[i].ID, "ada"); err != nil {
			t.Fatal(err)
		}
		if _, err := enginetest.Deliver(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	requireStory(t, db, found[1].Key, "receipt→awaiting deadline→missing opened reprocess→reprocessing note callback")
	if _, err := e.Stop(t.Context(), found[1].ID, "ada"); err != nil {
		t.Fatal(err)
	}
	if err := e.CloseIncident(t.Context(), found[1].ID, "ada", "refunded"); err != nil {
		t.Fatal(err)
	}
	if err := e.Apply(t.Context(), found[3].Key, func(context.Context,
		pgx.Tx,
	) error {
		return errors.New("no such account")
	}); err == nil {
		t.Fatal("no error")
	}
	if err := e.Apply(t.Context(), found[3].Key, func(context.Context, pgx.Tx) error { return nil }); err != nil {
		t.Fatal(err)
	}
	running, leave := context.WithCancel(t.Context())
	ended := start(func() error { return e.Run(running) })
	eventually(t, "the engine seals, indexes and shows that it is alive", func() bool {
		return read[int](
			t,
			db.Pool,
			`SELECT count(DISTINCT target) FROM public.written WHERE target IN ('seals', 'term_cursors', 'engines')`,
		) == 3
	})
	leave()
	if err := receive(t, "Run ends", ended); err != nil {
		t.Error(err)
	}

	rows, err := db.Pool.Query(t.Context(), `SELECT DISTINCT target, level FROM public.written WHERE app = 'engine' ORDER BY 1, 2`)
	if err != nil {
		t.Fatal(err)
	}
	var written []string
	var target, level string
	if _, err := pgx.ForEachRow(rows, []any{&target, &level}, func() error {
		written = append(written, target)
		if level != "read committed" {
			t.Errorf("the engine wrote %s at %s", target, level)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for _, table := range []string{
		"attempts", "callbacks", "chains", "engines", "entries", "incidents", "nonces", "owed", "term_cursors",
	} {
		if !slices.Contains(written, table) {
			t.Errorf("the engine did not write %s: the test does not see it", table)
		}
	}
	db.RequireSound()
}
