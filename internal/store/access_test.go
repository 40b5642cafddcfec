package store_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
	"github.com/sendpromptly/sendpromptly/internal/store"
)

func open(t *testing.T) (*enginetest.Database, *store.Store) {
	t.Helper()
	db := enginetest.New(t)
	st, err := store.New(db.Pool, "")
	if err != nil {
		t.Fatal(err)
	}
	return db, st
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func TestAKeyLetsItsProjectInUntilItIsRevoked(t *testing.T) {
	t.Parallel()
	db, st := open(t)
	ctx := t.Context()
	key, secret, err := st.CreateKey(ctx, "default", "worker", "ada@example.com")
	if err != nil || !strings.HasPrefix(secret, "sk_") || len(secret) != 43 || !strings.HasSuffix(secret, key.Ending) {
		t.Fatalf("%q, %+v, %v", secret, key, err)
	}
	if owner, err := st.KeyOwner(ctx, secret); err != nil || owner != (store.KeyOwner{Project: "default", KeyID: key.ID}) {
		t.Errorf("%+v, %v", owner, err)
	}
	used := must[[]store.Key](t)(st.Keys(ctx, "default"))[0].LastUsedAt
	if used.IsZero() {
		t.Error("the use is not noted")
	}
	db.Travel(30 * time.Second)
	_, _ = st.KeyOwner(ctx, secret)
	if again := must[[]store.Key](t)(st.Keys(ctx, "default"))[0].LastUsedAt; !again.Equal(used) {
		t.Error("the use is noted more than once a minute")
	}
	db.Travel(time.Minute)
	_, _ = st.KeyOwner(ctx, secret)
	if again := must[[]store.Key](t)(st.Keys(ctx, "default"))[0].LastUsedAt; !again.After(used) {
		t.Error("a later use is not noted")
	}
	for _, wrong := range []string{"", "sk_", secret[:42], secret[:42] + "x", secret + "x", "spt_" + secret[3:]} {
		if _, err := st.KeyOwner(ctx, wrong); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%q: %v", wrong, err)
		}
	}
	if _, _, err := st.CreateProject(ctx, "other", store.ProjectSettings{}, nil, "ada"); err != nil {
		t.Fatal(err)
	}
	if err := st.RevokeKey(ctx, "other", key.ID, "ada"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("another project revokes it: %v", err)
	}
	if err := st.RevokeKey(ctx, "default", key.ID, "ada"); err != nil {
		t.Fatal(err)
	}
	if _, err := st.KeyOwner(ctx, secret); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a revoked key: %v", err)
	}
	if err := st.RevokeKey(ctx, "default", key.ID, "ada"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("revoked twice: %v", err)
	}
}

func TestALoginLinkWorksOnceAndForFifteenMinutes(t *testing.T) {
	t.Parallel()
	db, st := open(t)
	ctx := t.Context()
	link := must[string](t)(st.InviteOperator(ctx, " Ada@Example.com ", "operator", "spadmin"))
	login, err := st.UseLoginLink(ctx, link)
	if err != nil || login.Email != "ada@example.com" || login.Role != "operator" || login.At.IsZero() {
		t.Fatalf("%+v, %v", login, err)
	}
	late := must[string](t)(st.LoginLink(ctx, "ada@example.com", "spadmin"))
	db.Travel(16 * time.Minute)
	if _, err := st.UseLoginLink(ctx, late); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a link after 16 minutes: %v", err)
	}
	removed := must[string](t)(st.LoginLink(ctx, "ada@example.com", "spadmin"))
	if err := st.RemoveOperator(ctx, "ada@example.com", "spadmin"); err != nil {
		t.Fatal(err)
	}
	for why, bad := range map[string]string{"used": link, "of a removed operator": removed, "made up": strings.Repeat("A", 40), "empty": ""} {
		if _, err := st.UseLoginLink(ctx, bad); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("a link that is %s: %v", why, err)
		}
	}
	if _, err := st.LoginLink(ctx, "ada@example.com", "spadmin"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a link for nobody: %v", err)
	}
}

func TestOfManyWhoUseALinkOneGetsIn(t *testing.T) {
	t.Parallel()
	_, st := open(t)
	link := must[string](t)(st.InviteOperator(t.Context(), "ada@example.com", "operator", "spadmin"))
	var in atomic.Int64
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			switch _, err := st.UseLoginLink(t.Context(), link); {
			case err == nil:
				in.Add(1)
			case !errors.Is(err, store.ErrNotFound):
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
	login := must[store.Login](t)(st.UseLoginLink(ctx, must[string](t)(st.InviteOperator(ctx, "ada@example.com", "viewer", "spadmin"))))
	if who, recent, err := st.OperatorSession(ctx, login.Email, login.At); err != nil || !recent || who.Role != "viewer" {
		t.Errorf("%+v, %v, %v", who, recent, err)
	}
	if err := st.SetOperator(ctx, login.Email, "admin", "spadmin"); err != nil {
		t.Fatal(err)
	}
	db.Travel(16 * time.Minute)
	if who, recent, err := st.OperatorSession(ctx, login.Email, login.At); err != nil || recent || who.Role != "admin" {
		t.Errorf("16 minutes later, with another role: %+v, %v, %v", who, recent, err)
	}
	db.Travel(12 * time.Hour)
	if _, _, err := st.OperatorSession(ctx, login.Email, login.At); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("12 hours later: %v", err)
	}
	login = must[store.Login](t)(st.UseLoginLink(ctx, must[string](t)(st.LoginLink(ctx, login.Email, "spadmin"))))
	_ = must[string](t)(st.InviteOperator(ctx, "bob@example.com", "admin", "spadmin"))
	if err := st.RemoveOperator(ctx, login.Email, "bob"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := st.OperatorSession(ctx, login.Email, login.At); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("removed: %v", err)
	}
	_ = must[string](t)(st.InviteOperator(ctx, login.Email, "viewer", "bob"))
	if _, _, err := st.OperatorSession(ctx, login.Email, login.At); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("removed and invited again, an old session lives: %v", err)
	}
}

func TestTheOnlyAdminStays(t *testing.T) {
	t.Parallel()
	_, st := open(t)
	ctx := t.Context()
	_ = must[string](t)(st.InviteOperator(ctx, "ada@example.com", "admin", "spadmin"))
	_, invite := st.InviteOperator(ctx, "ada@example.com", "viewer", "ada")
	for what, err := range map[string]error{"removed": st.RemoveOperator(ctx, "ada@example.com", "ada"),
		"demoted": st.SetOperator(ctx, "ada@example.com", "viewer", "ada"), "demoted by an invitation": invite} {
		var field *engine.FieldError
		if !errors.As(err, &field) {
			t.Errorf("the only admin is %s: %v", what, err)
		}
	}
	_ = must[string](t)(st.InviteOperator(ctx, "bob@example.com", "admin", "ada"))
	if err := st.RemoveOperator(ctx, "ada@example.com", "bob"); err != nil {
		t.Error(err)
	}
}

func TestATokenHoldsUntilItsEnd(t *testing.T) {
	t.Parallel()
	db, st := open(t)
	ctx := t.Context()
	token, secret, err := st.CreateToken(ctx, "operator", "ci", "default", time.Hour, "ada")
	if err != nil || !strings.HasPrefix(secret, "spt_") || len(secret) != 44 {
		t.Fatalf("%q, %+v, %v", secret, token, err)
	}
	owner, now, err := st.TokenOwner(ctx, secret)
	if err != nil || owner.ID != token.ID || owner.Project != "default" || owner.Role != "operator" {
		t.Fatalf("%+v, %v", owner, err)
	}
	if _, recent, err := st.TokenSession(ctx, token.ID, now); err != nil || !recent {
		t.Errorf("a session: %v, %v", recent, err)
	}
	db.Travel(16 * time.Minute)
	if _, recent, err := st.TokenSession(ctx, token.ID, now); err != nil || recent {
		t.Errorf("a session 16 minutes later: %v, %v", recent, err)
	}
	db.Travel(45 * time.Minute)
	if _, _, err := st.TokenOwner(ctx, secret); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("expired: %v", err)
	}
	if _, _, err := st.TokenSession(ctx, token.ID, now); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a session of an expired one: %v", err)
	}
	forever, secret, err := st.CreateToken(ctx, "viewer", "metrics", "", 0, "ada")
	if err != nil {
		t.Fatal(err)
	}
	_, now, err = st.LogInByToken(ctx, secret)
	if err != nil {
		t.Fatal(err)
	}
	db.Travel(11 * time.Hour)
	if _, _, err := st.TokenSession(ctx, forever.ID, now); err != nil {
		t.Errorf("a session after 11 hours: %v", err)
	}
	db.Travel(61 * time.Minute)
	if _, _, err := st.TokenSession(ctx, forever.ID, now); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a session after 12 hours: %v", err)
	}
	if err := st.RevokeToken(ctx, forever.ID, "ada"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := st.TokenOwner(ctx, secret); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("revoked: %v", err)
	}
	if all := must[[]store.Token](t)(st.Tokens(ctx)); len(all) != 2 || all[0].RevokedAt.IsZero() || all[1].Project != "default" {
		t.Errorf("%+v", all)
	}
}

func TestEveryChangeOfAccessIsInTheAuditLogWithoutItsSecret(t *testing.T) {
	t.Parallel()
	_, st := open(t)
	ctx := t.Context()
	link := must[string](t)(st.InviteOperator(ctx, "ada@example.com", "admin", "root"))
	_ = must[store.Login](t)(st.UseLoginLink(ctx, link))
	key, keySecret, err := st.CreateKey(ctx, "default", "worker", "ada@example.com")
	if err != nil {
		t.Fatal(err)
	}
	token, tokenSecret, err := st.CreateToken(ctx, "viewer", "metrics", "", 0, "ada@example.com")
	if err != nil {
		t.Fatal(err)
	}
	_ = must[string](t)(st.InviteOperator(ctx, "bob@example.com", "viewer", "ada@example.com"))
	for _, err := range []error{st.RevokeKey(ctx, "default", key.ID, "ada@example.com"), st.RevokeToken(ctx, token.ID, "ada@example.com"),
		st.SetOperator(ctx, "bob@example.com", "operator", "ada@example.com"), st.RemoveOperator(ctx, "bob@example.com", "ada@example.com")} {
		if err != nil {
			t.Fatal(err)
		}
	}
	var actions []string
	for before := ""; ; {
		page := must[store.AuditPage](t)(st.Audit(ctx, store.AuditFilter{Before: before, Limit: 2}))
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
	want := "ada@example.com operator.remove bob@example.com, ada@example.com operator.role bob@example.com, ada@example.com token.revoke metrics, " +
		"ada@example.com key.revoke worker, ada@example.com operator.invite bob@example.com, ada@example.com token.create metrics, " +
		"ada@example.com key.create worker, ada@example.com operator.login ada@example.com, root operator.invite ada@example.com"
	if got := strings.Join(actions, ", "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if page := must[store.AuditPage](t)(st.Audit(ctx, store.AuditFilter{Project: "default", Action: "key."})); len(page.Entries) != 2 {
		t.Errorf("of the project's keys: %+v", page.Entries)
	}
}

func TestSessionsAreKeptByTheDatabasesClock(t *testing.T) {
	t.Parallel()
	db, st := open(t)
	ctx, sessions := t.Context(), st.Sessions()
	end := func() time.Time { return time.Now().Add(30 * time.Minute) }
	if err := sessions.CommitCtx(ctx, "a", []byte("data"), end()); err != nil {
		t.Fatal(err)
	}
	for range 3 { // being used keeps it
		db.Travel(20 * time.Minute)
		if _, found, err := sessions.FindCtx(ctx, "a"); !found || err != nil {
			t.Fatal(found, err)
		}
	}
	if data, found, err := sessions.FindCtx(ctx, "a"); !found || string(data) != "data" || err != nil {
		t.Errorf("%q, %v, %v", data, found, err)
	}
	db.Travel(31 * time.Minute)
	if _, found, err := sessions.FindCtx(ctx, "a"); found || err != nil {
		t.Errorf("idle for too long: %v, %v", found, err)
	}
	if err := sessions.Purge(ctx); err != nil {
		t.Fatal(err)
	}
	var left int
	if err := db.Pool.QueryRow(ctx, "SELECT count(*) FROM sendpromptly.sessions").Scan(&left); err != nil || left != 0 {
		t.Errorf("%d left, %v", left, err)
	}
}

func TestWhatIsNoAddressOrRoleIsRefused(t *testing.T) {
	t.Parallel()
	_, st := open(t)
	for _, email := range []string{"", "ada", "@example.com", "ada@", "a b@example.com", "ada@example.com\n", "<ada@example.com>", "a\x00@b", strings.Repeat("a", 250) + "@example.com"} {
		var field *engine.FieldError
		if _, err := st.InviteOperator(t.Context(), email, "viewer", "spadmin"); !errors.As(err, &field) && email != "ada@example.com\n" {
			t.Errorf("%q: %v", email, err)
		}
	}
	for _, role := range []string{"", "root", "ADMIN"} {
		if _, err := st.InviteOperator(t.Context(), "ada@example.com", role, "spadmin"); err == nil {
			t.Errorf("role %q", role)
		}
	}
}

func TestLookingIsNotUsingWhereItSaysSo(t *testing.T) {
	t.Parallel()
	db, st := open(t)
	sessions := st.Sessions()
	find := func(ctx context.Context, want bool) {
		t.Helper()
		if _, found, err := sessions.FindCtx(ctx, "token"); err != nil || found != want {
			t.Errorf("found %v, %v", found, err)
		}
	}
	if err := sessions.CommitCtx(t.Context(), "token", []byte("{}"), time.Now().Add(store.SessionIdle)); err != nil {
		t.Fatal(err)
	}
	db.Travel(20 * time.Minute)
	find(store.Unused(t.Context()), true)
	db.Travel(9 * time.Minute)
	find(t.Context(), true)
	db.Travel(29 * time.Minute)
	find(store.Unused(t.Context()), true)
	db.Travel(2 * time.Minute)
	find(t.Context(), false)
}
