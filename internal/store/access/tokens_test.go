package access_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/store/access"
)

func TestATokenHoldsUntilItsEnd(t *testing.T) {
	t.Parallel()
	db, st := open(t)
	ctx := t.Context()
	token, secret, err := st.Access.Tokens.Create(ctx, "operator", "ci", "default", time.Hour, "ada")
	if err != nil || !strings.HasPrefix(secret, "spt_") || len(secret) != 44 {
		t.Fatalf("%q, %+v, %v", secret, token, err)
	}
	owner, now, err := st.Access.Tokens.Find(ctx, secret)
	if err != nil || owner.ID != token.ID || owner.Project != "default" || owner.Role != "operator" {
		t.Fatalf("%+v, %v", owner, err)
	}
	if _, recent, err := st.Access.Tokens.Session(ctx, token.ID, now); err != nil || !recent {
		t.Errorf("a session: %v, %v", recent, err)
	}
	db.Travel(16 * time.Minute)
	if _, recent, err := st.Access.Tokens.Session(ctx, token.ID, now); err != nil || recent {
		t.Errorf("a session 16 minutes later: %v, %v", recent, err)
	}
	db.Travel(45 * time.Minute)
	if _, _, err := st.Access.Tokens.Find(ctx, secret); !errors.Is(err, engine.ErrNotFound) {
		t.Errorf("expired: %v", err)
	}
	if _, _, err := st.Access.Tokens.Session(ctx, token.ID, now); !errors.Is(err, engine.ErrNotFound) {
		t.Errorf("a session of an expired one: %v", err)
	}
	forever, secret, err := st.Access.Tokens.Create(ctx, "viewer", "metrics", "", 0, "ada")
	if err != nil {
		t.Fatal(err)
	}
	_, now, err = st.Access.Tokens.LogIn(ctx, secret)
	if err != nil {
		t.Fatal(err)
	}
	db.Travel(11 * time.Hour)
	if _, _, err := st.Access.Tokens.Session(ctx, forever.ID, now); err != nil {
		t.Errorf("a session after 11 hours: %v", err)
	}
	db.Travel(61 * time.Minute)
	if _, _, err := st.Access.Tokens.Session(ctx, forever.ID, now); !errors.Is(err, engine.ErrNotFound) {
		t.Errorf("a session after 12 hours: %v", err)
	}
	if err := st.Access.Tokens.Revoke(ctx, forever.ID, "ada"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := st.Access.Tokens.Find(ctx, secret); !errors.Is(err, engine.ErrNotFound) {
		t.Errorf("revoked: %v", err)
	}
	if all := must[[]access.Token](
		t,
	)(
		st.Access.Tokens.List(ctx),
	); len(all) != 2 || all[0].RevokedAt.IsZero() ||
		all[1].Project != "default" {
		t.Errorf("%+v", all)
	}
}
