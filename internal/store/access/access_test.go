package access_test

import (
	"strings"
	"testing"

	"github.com/sendpromptly/sendpromptly/internal/store/access"
	"github.com/sendpromptly/sendpromptly/internal/store/projects"
)

func TestEveryChangeOfAccessIsInTheAuditLogWithoutItsSecret(t *testing.T) {
	t.Parallel()
	_, st := open(t)
	ctx := t.Context()
	link := must[string](t)(st.Access.Operators.Invite(ctx, "ada@example.com", "admin", "root"))
	_ = must[access.Login](t)(st.Access.Operators.UseLink(ctx, link))
	key, keySecret, err := st.Access.Keys.Create(ctx, "default", "worker", "ada@example.com")
	if err != nil {
		t.Fatal(err)
	}
	token, tokenSecret, err := st.Access.Tokens.Create(ctx, "viewer", "metrics", "", 0, "ada@example.com")
	if err != nil {
		t.Fatal(err)
	}
	_ = must[string](t)(st.Access.Operators.Invite(ctx, "bob@example.com", "viewer", "ada@example.com"))
	for _, err := range []error{
		st.Access.Keys.Revoke(ctx, "default", key.ID, "ada@example.com"), st.Access.Tokens.Revoke(ctx, token.ID,
			"ada@example.com"),
		st.Access.Operators.SetRole(ctx, "bob@example.com", "operator", "ada@example.com"), st.Access.Operators.Remove(ctx,
			"bob@example.com", "ada@example.com"),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	var actions []string
	for before := ""; ; {
		page := must[projects.AuditPage](t)(st.Projects.Audit.List(ctx, projects.AuditFilter{Before: before, Limit: 2}))
		for _, entry := range page.Entries {
			actions = append(actions, entry.Actor+" "+entry.Action+" "+entry.Subject)
			for _, secret := range []string{link, keySecret, tokenSecret} {
				if strings.Contains(entry.Detail+entry.Subject, secret) {
					t.Errorf("%s holds a secret", entry.Action)
				}
			}
		}
		if before = page.Next; before == "" {
			break
		}
	}
	want := "ada@example.com operator.remove bob@example.com, ada@example.com operator.role bob@example.com, ada@example.com " +
		"token.revoke metrics, " +
		"ada@example.com key.revoke worker, ada@example.com operator.invite bob@example.com, ada@example.com token.create metrics, " +
		"ada@example.com key.create worker, ada@example.com operator.login ada@example.com, root operator.invite ada@example.com"
	if got := strings.Join(actions, ", "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if page := must[projects.AuditPage](
		t,
	)(
		st.Projects.Audit.List(ctx, projects.AuditFilter{Project: "default", Action: "key."}),
	); len(
		page.Entries,
	) != 2 {
		t.Errorf("of the project's keys: %+v", page.Entries)
	}
}
