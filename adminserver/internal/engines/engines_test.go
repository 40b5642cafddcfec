package engines_test

import (
	"errors"
	"testing"

	"github.com/sendpromptly/sendpromptly/adminserver/internal/engines"
	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
	"github.com/sendpromptly/sendpromptly/engine/store"
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
		if e, err := all.For(name); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("project %q: %v, %v", name, e, err)
		}
	}
}
