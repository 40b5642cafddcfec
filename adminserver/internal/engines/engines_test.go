package engines_test

import (
	"errors"
	"sync"
	"testing"

	"github.com/sendpromptly/sendpromptly/adminserver/internal/engines"
	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
)

func TestForGivesEachProjectItsEngine(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	all := engines.New(db.Pool, engine.Config{})
	first, err := all.For("default")
	if err != nil {
		t.Fatal(err)
	}
	if again, err := all.For("default"); err != nil || again != first {
		t.Errorf("a second engine for the same project: %v", err)
	}
	for _, name := range []string{"nosuch", "", "NO/SUCH", "a\x00b"} {
		if e, err := all.For(name); !errors.Is(err, engine.ErrNotFound) {
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
			if made[i], err = all.For("default"); err != nil {
				t.Error(err)
			}
			if _, err := all.For("nosuch"); !errors.Is(err, engine.ErrNotFound) {
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
