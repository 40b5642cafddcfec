package access_test

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/store/access"
)

func TestALoginLinkWorksOnceAndForFifteenMinutes(t *testing.T) {
	t.Parallel()
	db, st := open(t)
	ctx := t.Context()
	link := must[string](t)(st.Access.Operators.Invite(ctx, " Ada@Example.com ", "operator", "spadmin"))
	login, err := st.Access.Operators.UseLink(ctx, link)
	if err != nil || login.Email != "ada@example.com" || login.Role != "operator" || login.At.IsZero() {
		t.Fatalf("%+v, %v", login, err)
	}
	late := must[string](t)(st.Access.Operators.CreateLink(ctx, "ada@example.com", "spadmin"))
	db.Travel(16 * time.Minute)
	if _, err := st.Access.Operators.UseLink(ctx, late); !errors.Is(err, engine.ErrNotFound) {
		t.Errorf("a link after 16 minutes: %v", err)
	}
	removed := must[string](t)(st.Access.Operators.CreateLink(ctx, "ada@example.com", "spadmin"))
	if err := st.Access.Operators.Remove(ctx, "ada@example.com", "spadmin"); err != nil {
		t.Fatal(err)
	}
	for why, bad := range map[string]string{
		"used": link, "of a removed operator": removed, "made up": strings.Repeat("A", 40),
		"empty": "",
	} {
		if _, err := st.Access.Operators.UseLink(ctx, bad); !errors.Is(err, engine.ErrNotFound) {
			t.Errorf("a link that is %s: %v", why, err)
		}
	}
	if _, err := st.Access.Operators.CreateLink(ctx, "ada@example.com", "spadmin"); !errors.Is(err, engine.ErrNotFound) {
		t.Errorf("a link for nobody: %v", err)
	}
}

func TestOfManyWhoUseALinkOneGetsIn(t *testing.T) {
	t.Parallel()
	_, st := open(t)
	link := must[string](t)(st.Access.Operators.Invite(t.Context(), "ada@example.com", "operator", "spadmin"))
	var in atomic.Int64
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			switch _, err := st.Access.Operators.UseLink(t.Context(), link); {
			case err == nil:
				in.Add(1)
			case !errors.Is(err, engine.ErrNotFound):
				t.Error(err)
			}
		})
	}
	if group.Wait(); in.Load() != 1 {
		t.Errorf("%d got in", in.Load())
	}
}

func TestASessionEndsWithItsOperatorAndItsHours(t *testing.T) {
	t.Parallel()
	db, st := open(t)
	ctx := t.Context()
	login := must[access.Login](
		t,
	)(
		st.Access.Operators.UseLink(ctx, must[string](t)(st.Access.Operators.Invite(ctx, "ada@example.com", "viewer",
			"spadmin"))),
	)
	if who, recent, err := st.Access.Operators.Session(ctx, login.Email, login.At); err != nil || !recent ||
		who.Role != "viewer" {
		t.Errorf("%+v, %v, %v", who, recent, err)
	}
	if err := st.Access.Operators.SetRole(ctx, login.Email, "admin", "spadmin"); err != nil {
		t.Fatal(err)
	}
	db.Travel(16 * time.Minute)
	if who, recent, err := st.Access.Operators.Session(ctx, login.Email, login.At); err != nil || recent || who.Role != "admin" {
		t.Errorf("16 minutes later, with another role: %+v, %v, %v", who, recent, err)
	}
	db.Travel(12 * time.Hour)
	if _, _, err := st.Access.Operators.Session(ctx, login.Email, login.At); !errors.Is(err, engine.ErrNotFound) {
		t.Errorf("12 hours later: %v", err)
	}
	login = must[access.Login](
		t,
	)(
		st.Access.Operators.UseLink(ctx, must[string](t)(st.Access.Operators.CreateLink(ctx, login.Email, "spadmin"))),
	)
	_ = must[string](t)(st.Access.Operators.Invite(ctx, "bob@example.com", "admin", "spadmin"))
	if err := st.Access.Operators.Remove(ctx, login.Email, "bob"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := st.Access.Operators.Session(ctx, login.Email, login.At); !errors.Is(err, engine.ErrNotFound) {
		t.Errorf("removed: %v", err)
	}
	_ = must[string](t)(st.Access.Operators.Invite(ctx, login.Email, "viewer", "bob"))
	if _, _, err := st.Access.Operators.Session(ctx, login.Email, login.At); !errors.Is(err, engine.ErrNotFound) {
		t.Errorf("removed and invited again, an old session lives: %v", err)
	}
}
