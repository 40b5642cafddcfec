package access_test

import (
	"context"
	"testing"
	"time"

	"github.com/sendpromptly/sendpromptly/internal/store/access"
)

func TestSessionsAreKeptByTheDatabasesClock(t *testing.T) {
	t.Parallel()
	db, st := open(t)
	ctx, sessions := t.Context(), st.Access.Sessions
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

func TestLookingIsNotUsingWhereItSaysSo(t *testing.T) {
	t.Parallel()
	db, st := open(t)
	sessions := st.Access.Sessions
	find := func(ctx context.Context, want bool) {
		t.Helper()
		if _, found, err := sessions.FindCtx(ctx, "token"); err != nil || found != want {
			t.Errorf("found %v, %v", found, err)
		}
	}
	if err := sessions.CommitCtx(t.Context(), "token", []byte("{}"), time.Now().Add(access.SessionIdle)); err != nil {
		t.Fatal(err)
	}
	db.Travel(20 * time.Minute)
	find(access.Unused(t.Context()), true)
	db.Travel(9 * time.Minute)
	find(t.Context(), true)
	db.Travel(29 * time.Minute)
	find(access.Unused(t.Context()), true)
	db.Travel(2 * time.Minute)
	find(t.Context(), false)
}
