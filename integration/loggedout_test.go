package integration

import (
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// Who was removed does not go on reading what changes, and is told so.
func TestALivePageSaysThatOneIsLoggedOut(t *testing.T) {
	s := newConsoleSite(t)
	b := openBrowser(t, s.url)
	b.expected = []string{"401"}
	s.login(b, "ada@example.com", "operator")
	b.open("/incidents")
	b.sees("Live")
	if err := s.store.RemoveOperator(t.Context(), "ada@example.com", "test"); err != nil {
		t.Fatal(err)
	}
	s.fails("acct_ines", "card network timeout") // the page looks again, and cannot
	b.sees("Logged out: load the page again")
	time.Sleep(4 * time.Second) // longer than it takes to connect again
	b.sees("Logged out: load the page again")
	b.do(chromedp.Reload())
	b.sees("Log in")
}
