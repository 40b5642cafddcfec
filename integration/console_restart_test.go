package integration

import (
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
	"github.com/sendpromptly/sendpromptly/internal/localpg"
)

// A page that is open while Postgres crashes is live again by itself. The server is one of our own, because everybody's
// connections die.
func TestAnOpenPageOutlivesARestartOfPostgres(t *testing.T) {
	server, err := localpg.Start(t.Context(), localpg.Config{Durable: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	url, err := server.CreateDatabase(t.Context(), localpg.RandomName(localpg.TestPrefix), "")
	if err != nil {
		t.Fatal(err)
	}
	pools := make([]*pgxpool.Pool, 2)
	for i := range pools {
		if pools[i], err = pgxpool.New(t.Context(), url); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(pools[i].Close)
	}
	app, admins := pools[0], pools[1]
	if err := engine.Migrate(t.Context(), app); err != nil {
		t.Fatal(err)
	}
	s := newConsoleSiteOn(t, &enginetest.Database{Pool: app, URL: url}, admins)
	s.fails("acct_before", "boom")
	b := openBrowser(t, s.url)
	b.expected = []string{"503"}
	b.looks(1280, 900, "light")
	s.login(b, "ada@example.com", "operator")
	b.open("/incidents?project=billing")
	b.sees("acct_before", "Live")

	victim, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	var pid int
	if err := victim.QueryRow(t.Context(), "SELECT pg_backend_pid()").Scan(&pid); err != nil {
		t.Fatal(err)
	}
	bystander, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil { // the postmaster ends all others and recovers
		t.Fatal(err)
	}
	for end := time.Now().Add(30 * time.Second); bystander.Ping(t.Context()) == nil || app.Ping(t.Context()) != nil; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("Postgres does not come back")
		}
	}
	app.Reset() // the app's own connections are not what is tested
	s.fails("acct_after", "boom")
	b.sees("acct_after", "acct_before", "Live")
}
