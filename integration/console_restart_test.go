package integration

import (
	"testing"

	"github.com/sendpromptly/sendpromptly/engine/enginetest"
	"github.com/sendpromptly/sendpromptly/internal/restartpg"
)

// A page that is open while Postgres crashes is live again by itself.
func TestAnOpenPageOutlivesARestartOfPostgres(t *testing.T) {
	postgres := restartpg.Start(t)
	app := postgres.Pool()
	s := newConsoleSiteOn(t, &enginetest.Database{Pool: app, URL: postgres.URL}, postgres.Pool())
	s.fails("acct_before", "boom")
	b := openBrowser(t, s.url)
	b.expected = []string{"503"}
	b.looks(1280, 900, "light")
	s.login(b, "ada@example.com", "operator")
	b.open("/incidents?project=billing")
	b.sees("acct_before", "Live")

	postgres.Crash()
	app.Reset() // the app's own connections are not what is tested
	s.fails("acct_after", "boom")
	b.sees("acct_after", "acct_before", "Live")
}
