package access_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/sendpromptly/sendpromptly/engine"
)

func TestTheOnlyAdminStays(t *testing.T) {
	t.Parallel()
	_, st := open(t)
	ctx := t.Context()
	_ = must[string](t)(st.Access.Operators.Invite(ctx, "ada@example.com", "admin", "spadmin"))
	_, invite := st.Access.Operators.Invite(ctx, "ada@example.com", "viewer", "ada")
	for what, err := range map[string]error{
		"removed": st.Access.Operators.Remove(ctx, "ada@example.com", "ada"),
		"demoted": st.Access.Operators.SetRole(ctx, "ada@example.com", "viewer", "ada"), "demoted by an invitation": invite,
	} {
		var field *engine.FieldError
		if !errors.As(err, &field) {
			t.Errorf("the only admin is %s: %v", what, err)
		}
	}
	_ = must[string](t)(st.Access.Operators.Invite(ctx, "bob@example.com", "admin", "ada"))
	if err := st.Access.Operators.Remove(ctx, "ada@example.com", "bob"); err != nil {
		t.Error(err)
	}
}

func TestWhatIsNoAddressOrRoleIsRefused(t *testing.T) {
	t.Parallel()
	_, st := open(t)
	for _, email := range []string{
		"", "ada", "@example.com", "ada@", "a b@example.com", "ada@example.com\n",
		"<ada@example.com>", "a\x00@b", strings.Repeat("a", 250) + "@example.com",
	} {
		var field *engine.FieldError
		if _, err := st.Access.Operators.Invite(
			t.Context(),
			email,
			"viewer",
			"spadmin",
		); !errors.As(err, &field) &&
			email != "ada@example.com\n" {
			t.Errorf("%q: %v", email, err)
		}
	}
	for _, role := range []string{"", "root", "ADMIN"} {
		if _, err := st.Access.Operators.Invite(t.Context(), "ada@example.com", role, "spadmin"); err == nil {
			t.Errorf("role %q", role)
		}
	}
}
