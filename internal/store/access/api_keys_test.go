package access_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/store/access"
	"github.com/sendpromptly/sendpromptly/internal/store/projects"
)

func TestAKeyLetsItsProjectInUntilItIsRevoked(t *testing.T) {
	t.Parallel()
	db, st := open(t)
	ctx := t.Context()
	key, secret, err := st.Access.Keys.Create(ctx, "default", "worker", "ada@example.com")
	if err != nil || !strings.HasPrefix(secret, "sk_") || len(secret) != 43 || !strings.HasSuffix(secret, key.Ending) {
		t.Fatalf("%q, %+v, %v", secret, key, err)
	}
	if owner, err := st.Access.Keys.Owner(ctx, secret); err != nil ||
		owner != (access.KeyOwner{Project: "default", KeyID: key.ID}) {
		t.Errorf("%+v, %v", owner, err)
	}
	used := must[[]access.APIKey](t)(st.Access.Keys.List(ctx, "default"))[0].LastUsedAt
	if used.IsZero() {
		t.Error("the use is not noted")
	}
	db.Travel(30 * time.Second)
	_, _ = st.Access.Keys.Owner(ctx, secret)
	if again := must[[]access.APIKey](t)(st.Access.Keys.List(ctx, "default"))[0].LastUsedAt; !again.Equal(used) {
		t.Error("the use is noted more than once a minute")
	}
	db.Travel(time.Minute)
	_, _ = st.Access.Keys.Owner(ctx, secret)
	if again := must[[]access.APIKey](t)(st.Access.Keys.List(ctx, "default"))[0].LastUsedAt; !again.After(used) {
		t.Error("a later use is not noted")
	}
	for _, wrong := range []string{"", "sk_", secret[:42], secret[:42] + "x", secret + "x", "spt_" + secret[3:]} {
		if _, err := st.Access.Keys.Owner(ctx, wrong); !errors.Is(err, engine.ErrNotFound) {
			t.Errorf("%q: %v", wrong, err)
		}
	}
	if _, _, err := st.Projects.Create(ctx, "other", projects.Settings{}, nil, "ada"); err != nil {
		t.Fatal(err)
	}
	if err := st.Access.Keys.Revoke(ctx, "other", key.ID, "ada"); !errors.Is(err, engine.ErrNotFound) {
		t.Errorf("another project revokes it: %v", err)
	}
	if err := st.Access.Keys.Revoke(ctx, "default", key.ID, "ada"); err != nil {
		t.Fatal(err)
	}
	if _, err := st.Access.Keys.Owner(ctx, secret); !errors.Is(err, engine.ErrNotFound) {
		t.Errorf("a revoked key: %v", err)
	}
	if err := st.Access.Keys.Revoke(ctx, "default", key.ID, "ada"); !errors.Is(err, engine.ErrNotFound) {
		t.Errorf("revoked twice: %v", err)
	}
}
