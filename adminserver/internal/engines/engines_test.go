package engines_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sendpromptly/sendpromptly/adminserver/internal/engines"
	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
	"github.com/sendpromptly/sendpromptly/internal/caught"
)

func TestForGivesEachProjectItsEngine(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	all := engines.New(db.Pool, engine.Config{})
	first, err := all.For(t.Context(), "default")
	if err != nil {
		t.Fatal(err)
	}
	if again, err := all.For(t.Context(), "default"); err != nil || again != first {
		t.Errorf("a second engine for the same project: %v", err)
	}
	for _, name := range []string{"nosuch", "", "NO/SUCH", "a\x00b"} {
		if e, err := all.For(t.Context(), name); !errors.Is(err, engine.ErrNotFound) {
			t.Errorf("project %q: %v, %v", name, e, err)
		}
	}
}

// Many requests at once make one engine, not one each.
func TestWhoAsksAtOnceGetsTheSameEngine(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	all := engines.New(db.Pool, engine.Config{})
	made := make([]*engine.Engine, 20)
	var asking sync.WaitGroup
	for i := range made {
		asking.Go(func() {
			var err error
			if made[i], err = all.For(t.Context(), "default"); err != nil {
				t.Error(err)
			}
			if _, err := all.For(t.Context(), "nosuch"); !errors.Is(err, engine.ErrNotFound) {
				t.Error(err)
			}
		})
	}
	asking.Wait()
	for i, e := range made {
		if e == nil || e != made[0] {
			t.Fatalf("request %d got an engine of its own", i)
		}
	}
}

// The one who asked first may leave before its engine is made: the others get it.
func TestWhoeverLeavesTakesNobodyAlong(t *testing.T) {
	t.Parallel()
	all := engines.New(enginetest.New(t).Pool, engine.Config{})
	left, leave := context.WithCancel(t.Context())
	leave()
	if _, err := all.For(left, "default"); !errors.Is(err, context.Canceled) && err != nil {
		t.Errorf("somebody who left is told %v", err)
	}
	if e, err := all.For(t.Context(), "default"); e == nil || err != nil {
		t.Errorf("who asks after them gets %v, %v", e, err)
	}
}

// trap is an app's tracer that panics once.
type trap struct{ sprung atomic.Bool }

func (*trap) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	return ctx
}

func (t *trap) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {
	if !t.sprung.Swap(true) {
		panic("a tracer of the app")
	}
}

// What the app hooked into its pool may panic. That is an error of this request, and not the end of the project's answers.
func TestAPanicWhileMakingIsAnErrorOnce(t *testing.T) {
	t.Parallel()
	cfg := enginetest.New(t).Pool.Config()
	cfg.ConnConfig.Tracer = &trap{}
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	all := engines.New(pool, engine.Config{})
	if _, err := all.For(t.Context(), "default"); !caught.Is(err) {
		t.Errorf("the panic is told as %v", err)
	}
	if e, err := all.For(t.Context(), "default"); e == nil || err != nil {
		t.Errorf("after the panic there is %v, %v", e, err)
	}
}
