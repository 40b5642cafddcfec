package console_test

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/engine"
)

// A receipt that comes again with other facts moves nothing, so somebody must see it.
func TestTheEffectsPageListsWhatWasAcceptedAgain(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	if page := s.get(viewer, "/effects"); strings.Contains(page, "Accepted again") {
		t.Error("nothing was accepted again, and it says so")
	}
	e := s.db.Engine(engine.Config{})
	accept := func(a engine.Acceptance) {
		t.Helper()
		err := pgx.BeginFunc(t.Context(), s.db.Pool, func(tx pgx.Tx) error {
			_, err := e.Accept(t.Context(), tx, a)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for event, amount := range map[string]int64{"in_same": 4900, "in_other": 5900} {
		key := engine.Key{Provider: "stripe", EventID: event, Effect: "credit_grant"}
		accept(engine.Acceptance{Key: key, Subject: "acct_7", Amount: engine.Money{Minor: 4900, Currency: "EUR"}})
		accept(engine.Acceptance{Key: key, Subject: "acct_7", Amount: engine.Money{Minor: amount, Currency: "EUR"}})
	}
	page := s.get(viewer, "/effects?project=default")
	s.has(page, "Accepted again", "in_other", "acct_7", "amount differs from the first receipt")
	if strings.Contains(page, "in_same") {
		t.Error("a plain duplicate is listed")
	}
	if page := s.get(viewer, "/effects?project=default&q=in_other"); strings.Contains(page, "Accepted again") {
		t.Error("the list stands beside an answer")
	}
}
