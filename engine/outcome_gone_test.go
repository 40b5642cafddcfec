package engine_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
)

// A success finds its effect, waits for whoever holds it, and that was retention: the effect is unknown by then, in SQL
// without an id that leads nowhere, and nothing is written for it.
func TestASuccessMeetsRetentionBetweenItsStatements(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	e := repairing(t, db)
	settled(t, db, e, "evt")
	db.Travel(36 * day)
	app := newPool(t, db, "app", 3)
	retention := open(t, db.Pool, pgx.TxOptions{})
	run(
		t,
		retention,
		"SELECT sendpromptly.retain('default', sendpromptly.clock() - interval '35 days', '00000000-0000-0000-0000-000000000000', 10)",
	)
	inSQL := map[string]<-chan string{}
	for _, event := range []string{"evt_applied", "evt_closed"} { // which wait at the receipt and at the incident
		inSQL[event] = start(func() (answer string) {
			err := app.QueryRow(t.Context(), "SELECT to_json(s)::text FROM sendpromptly.succeed('stripe', $1) AS s", event).Scan(&answer)
			return fmt.Sprint(answer, err)
		})
	}
	inGo := start(func() error { return succeed(t.Context(), app, e, key("evt_repaired")) })
	waitBlocked(t, db, retention, 3)
	finish(t, retention, true)
	for event, answer := range inSQL {
		if got := receive(t, "the success of "+event, answer); got != `{"effect_id":null,"state":"unknown","changed":false}<nil>` {
			t.Errorf("%s: %s", event, got)
		}
	}
	if err := receive(t, "the success in Go", inGo); !errors.Is(err, engine.ErrUnknownEffect) {
		t.Errorf("in Go: %v", err)
	}
	for _, row := range leftBehind(t, db) {
		if strings.HasPrefix(row, "entries") {
			t.Errorf("left behind: %s", row)
		}
	}
}
