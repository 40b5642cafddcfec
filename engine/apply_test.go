package engine_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
)

var errNoAccount = errors.New("no such account")

func works(context.Context, pgx.Tx) error { return nil }

// A worker that hangs inside Apply is found by the deadline while it hangs; when
// it finishes after all, the incident resolves. It catches an Apply that holds
// the arbiter while the effect runs.
func TestAHungWorkerInsideApplyIsFoundAndMayStillFinish(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	e := db.Engine(engine.Config{})
	k := key("evt_hung")
	accept(t, db, e, engine.Acceptance{Key: k})
	hanging := make(chan struct{})
	release, letGo := newGate(t)
	worker := start(func() error {
		return e.Apply(t.Context(), k, func(_ context.Context, tx pgx.Tx) error {
			if _, err := tx.Exec(t.Context(), `CREATE TABLE public.credits ()`); err != nil {
				return err
			}
			close(hanging)
			<-release
			return nil
		})
	})
	receive(t, "the effect runs", hanging)
	db.Travel(31 * time.Minute)
	if opened := sweep(t, e); opened != 1 {
		t.Errorf("the sweep opened %d incidents while the worker hung, want 1", opened)
	}
	letGo()
	if err := receive(t, "the worker ends", worker); err != nil {
		t.Fatal(err)
	}
	requireStory(t, db, k, "receipt→awaiting deadline→missing opened success→applied resolved")
	run(t, db.Pool, `TABLE public.credits`) // the late effect is there
	db.RequireSound()
}

// What becomes of an effect by how the function ends. It catches a failure that
// is recorded although the caller repeats, one that is lost, and a cause that
// Apply hides.
func TestApplyRecordsWhatBecameOfTheEffect(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	e := db.Engine(engine.Config{})
	run(t, db.Pool, `CREATE TABLE public.credits (event text UNIQUE DEFERRABLE INITIALLY DEFERRED)`)
	run(t, db.Pool, `INSERT INTO public.credits VALUES ('taken')`)
	raising := func(state string) func(context.Context, pgx.Tx) error {
		return func(ctx context.Context, tx pgx.Tx) error {
			_, err := tx.Exec(ctx, fmt.Sprintf(`DO $$ BEGIN RAISE EXCEPTION 'the app''s own' USING ERRCODE = '%s'; END $$`, state))
			return fmt.Errorf("writing credits: %w", err)
		}
	}
	for _, test := range []struct {
		name    string
		effect  func(context.Context, pgx.Tx) error
		cause   func(error) bool
		story   string
		message string
	}{
		{"success", works, func(err error) bool { return err == nil }, "success→applied", ""},
		{
			"error", func(context.Context, pgx.Tx) error { return errNoAccount }, func(err error) bool {
				return errors.Is(err,
					errNoAccount)
			},
			"failure→failed opened", "no such account",
		},
		{
			"retry", func(context.Context, pgx.Tx) error { return engine.WillRetry(errNoAccount) },
			func(err error) bool { return errors.Is(err, errNoAccount) }, "", "",
		},
		{
			"wrapped retry", func(context.Context, pgx.Tx) error { return fmt.Errorf("job 1: %w", engine.WillRetry(errNoAccount)) },
			func(err error) bool { return errors.Is(err, errNoAccount) && strings.HasPrefix(err.Error(), "job 1: ") }, "", "",
		},
		{
			"retry of nothing", func(context.Context, pgx.Tx) error { return engine.WillRetry(nil) },
			func(err error) bool { return err == nil }, "success→applied", "",
		},
		{"serialization failure", raising("40001"), func(err error) bool { return sqlState(err) == "40001" }, "", ""},
		{"deadlock", raising("40P01"), func(err error) bool { return sqlState(err) == "40P01" }, "", ""},
		{
			"other error of Postgres", raising("55P03"), func(err error) bool { return sqlState(err) == "55P03" },
			"failure→failed opened", "writing credits: ERROR: the app's own (SQLSTATE 55P03)",
		},
		{"commit fails", func(ctx context.Context, tx pgx.Tx) error {
			_, err := tx.Exec(ctx, `INSERT INTO public.credits VALUES ('taken')`)
			return err
		}, func(err error) bool { return sqlState(err) == "23505" }, "failure→failed opened", "duplicate key"},
		{
			"error swallowed", func(ctx context.Context, tx pgx.Tx) error { _ = raising("22012")(ctx, tx); return nil },
			func(err error) bool { return sqlState(err) == "25P02" }, "failure→failed opened", "aborted",
		},
		{
			"rolls back by itself", func(ctx context.Context, tx pgx.Tx) error { return tx.Rollback(ctx) },
			func(err error) bool { return errors.Is(err, pgx.ErrTxClosed) }, "failure→failed opened", "tx is closed",
		},
	} {
		k := key("evt_" + strings.ReplaceAll(test.name, " ", "_"))
		accept(t, db, e, engine.Acceptance{Key: k})
		if err := e.Apply(t.Context(), k, test.effect, engine.WithCode("e1")); !test.cause(err) {
			t.Errorf("%s: error = %v", test.name, err)
		}
		requireStory(t, db, k, strings.TrimSpace("receipt→awaiting "+test.story))
		if test.message == "" {
			continue
		}
		if i := db.RequireIncident(k, engine.CauseFailed); !strings.Contains(i.ErrorMessage, test.message) || i.ErrorCode != "e1" {
			t.Errorf("%s: recorded %q, %q", test.name, i.ErrorCode, i.ErrorMessage)
		}
	}
	if n := read[int](t, db.Pool, `SELECT count(*) FROM public.credits`); n != 1 {
		t.Errorf("%d rows in credits: something of a failed effect stayed", n)
	}
	db.RequireSound()
}

// An applied effect is skipped, a closed one is refused, an unknown one is
// neither run nor recorded. It catches an Apply that does not read the state.
func TestApplyRunsOnlyWhatIsOwed(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	e := db.Engine(engine.Config{})
	never := func(context.Context, pgx.Tx) error { t.Error("the effect ran"); return nil }

	done := key("evt_done")
	accept(t, db, e, engine.Acceptance{Key: done})
	if err := succeed(t.Context(), db.Pool, e, done); err != nil {
		t.Fatal(err)
	}
	if err := e.Apply(t.Context(), done, never); err != nil {
		t.Errorf("applied: %v", err)
	}
	requireStory(t, db, done, "receipt→awaiting success→applied")

	closed := missing(t, db, e, key("evt_closed"))[0]
	if err := e.CloseIncident(t.Context(), closed.ID, "ada", "refunded"); err != nil {
		t.Fatal(err)
	}
	if err := e.Apply(t.Context(), closed.Key, never); !errors.Is(err, engine.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
	requireStory(t, db, closed.Key, "receipt→awaiting deadline→missing opened closed→closed")

	if err := e.Apply(t.Context(), key("evt_unknown"), never); !errors.Is(err, engine.ErrUnknownEffect) {
		t.Errorf("unknown: %v", err)
	}
	if _, err := e.Find(t.Context(), key("evt_unknown")); !errors.Is(err, engine.ErrUnknownEffect) {
		t.Errorf("an unknown effect was recorded: %v", err)
	}
	db.RequireSound()
}

// A panic rolls the effect back, is recorded as its failure, and goes on with
// its own value. It catches a panic that is swallowed or goes unrecorded.
func TestAPanicInsideApplyIsRecordedAndGoesOn(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	e := db.Engine(engine.Config{})
	k := key("evt_panic")
	accept(t, db, e, engine.Acceptance{Key: k})
	var got any
	func() {
		defer func() { got = recover() }()
		_ = e.Apply(t.Context(), k, func(_ context.Context, tx pgx.Tx) error {
			run(t, tx, `CREATE TABLE public.credits ()`)
			panic(errNoAccount)
		})
	}()
	if err, ok := got.(error); !ok || !errors.Is(err, errNoAccount) {
		t.Errorf("recovered %v", got)
	}
	requireStory(t, db, k, "receipt→awaiting failure→failed opened")
	if i := db.RequireIncident(k, engine.CauseFailed); i.ErrorMessage != "panic: no such account" {
		t.Errorf("recorded %q", i.ErrorMessage)
	}
	if n := read[int](t, db.Pool, `SELECT count(*) FROM pg_tables WHERE tablename = 'credits'`); n != 0 {
		t.Error("what the effect did before its panic is there")
	}
	db.RequireSound()
}

// Apply gives its connection back before it records a failure: one connection
// is enough, whether the effect fails, panics or loses its context. It catches
// a failure recorded from inside the transaction.
func TestApplyRecordsFailuresWithAPoolOfOneConnection(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	e := engineOn(t, newPool(t, db, "app", 1), engine.Config{})
	for name, effect := range map[string]func(context.CancelFunc) error{
		"error":     func(context.CancelFunc) error { return errNoAccount },
		"panic":     func(context.CancelFunc) error { panic("broken") },
		"cancelled": func(cancel context.CancelFunc) error { cancel(); return context.Canceled },
	} {
		k := key("evt_" + name)
		accept(t, db, e, engine.Acceptance{Key: k})
		began := time.Now()
		func() {
			defer func() { _ = recover() }()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if err := e.Apply(ctx, k, func(context.Context, pgx.Tx) error { return effect(cancel) }); err == nil {
				t.Errorf("%s: no error", name)
			}
		}()
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("%s: Apply took %s", name, took)
		}
		// The server may still be noticing that a cancelled connection is gone:
		// then the failure was stored aside.
		eventually(t, name+" is recorded", func() bool {
			db.Travel(2 * time.Second)
			sweep(t, e)
			found, err := e.Find(t.Context(), k)
			return err == nil && found.State == engine.StateFailed
		})
	}
	db.RequireSound()
}

// Workers that apply the same effect at once run it once: the others wait and
// skip. The same holds where the effect is adopted by whoever comes first. It
// catches a check of the state before the row is held, and an adoption that
// goes on without a second look.
func TestWorkersThatApplyTheSameEffectRunItOnce(t *testing.T) {
	t.Parallel()
	for name, adopt := range map[string]bool{"accepted": false, "adopted": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := enginetest.New(t)
			e := engineOn(t, newPool(t, db, "app", 6), engine.Config{AdoptUnknown: adopt})
			k := key("evt_1")
			if !adopt {
				accept(t, db, e, engine.Acceptance{Key: k})
			}
			var ran atomic.Int64
			held := make(chan pgx.Tx, 1)
			release, letGo := newGate(t)
			first := start(func() error {
				return e.Apply(t.Context(), k, func(_ context.Context, tx pgx.Tx) error {
					ran.Add(1)
					held <- tx
					<-release
					return nil
				})
			})
			tx := receive(t, "the first worker runs", held)
			var rest []<-chan error
			for range 4 {
				rest = append(rest, start(func() error {
					return e.Apply(t.Context(), k, func(context.Context, pgx.Tx) error { ran.Add(1); return nil })
				}))
			}
			waitBlocked(t, db, tx, 1) // the others may wait for each other
			letGo()
			for _, worker := range append(rest, first) {
				if err := receive(t, "a worker ends", worker); err != nil {
					t.Error(err)
				}
			}
			if ran.Load() != 1 {
				t.Errorf("the effect ran %d times", ran.Load())
			}
			db.RequireApplied(k)
			db.RequireSound()
		})
	}
}

// Where the first worker fails, the next one runs the effect, and the incident
// that the failure opened resolves.
func TestTheNextWorkerAppliesWhatTheFirstCouldNot(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	e := db.Engine(engine.Config{AdoptUnknown: true})
	k := key("evt_1") // never accepted: adopted with its failure
	if err := e.Apply(t.Context(), k, func(context.Context, pgx.Tx) error { return errNoAccount }); !errors.Is(err, errNoAccount) {
		t.Errorf("first: %v", err)
	}
	requireStory(t, db, k, "receipt→awaiting failure→failed opened")
	if err := e.Apply(t.Context(), k, works); err != nil {
		t.Errorf("second: %v", err)
	}
	requireStory(t, db, k, "receipt→awaiting failure→failed opened success→applied resolved")
	db.RequireSound()
}

// A database that cannot be reached is not taken for a failure of the effect,
// and a failure that cannot be recorded comes joined with its cause.
func TestApplyTellsItsOwnTroubleFromTheEffects(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	pool := newPool(t, db, "app", 2)
	e := engineOn(t, pool, engine.Config{})
	k := key("evt_1")
	accept(t, db, e, engine.Acceptance{Key: k})
	err := e.Apply(t.Context(), k, func(context.Context, pgx.Tx) error {
		run(t, db.Pool, `ALTER TABLE sendpromptly.entries RENAME TO entries_gone`)
		return errNoAccount
	})
	if !errors.Is(err, errNoAccount) || sqlState(err) != "42P01" {
		t.Errorf("error = %v, want the cause and why it could not be recorded", err)
	}
	run(t, db.Pool, `ALTER TABLE sendpromptly.entries_gone RENAME TO entries`)
	pool.Close()
	if err := e.Apply(t.Context(), k, func(context.Context, pgx.Tx) error { t.Error("the effect ran"); return nil }); err == nil {
		t.Error("no error from a closed pool")
	}
	requireStory(t, db, k, "receipt→awaiting")
	db.RequireSound()
}
