package enginetest_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
)

// credits is what the tests' app owes.
var credits = engine.Key{Provider: "stripe", EventID: "evt_1", Effect: "credit_grant"}

// acceptCredits stands for the webhook's handler of the app under test.
func acceptCredits(ctx context.Context, effects *engine.Engine, db *enginetest.Database) error {
	return pgx.BeginFunc(ctx, db.Pool, func(tx pgx.Tx) error {
		_, err := effects.Accept(ctx, tx, engine.Acceptance{Key: credits, Subject: "acct_1"})
		return err
	})
}

// A job that gets lost is found when its deadline has passed.
func ExampleDatabase_Travel() {
	test := func(t *testing.T) {
		db := enginetest.New(t)
		effects := db.Engine(engine.Config{})
		if err := acceptCredits(t.Context(), effects, db); err != nil {
			t.Fatal(err)
		}
		db.RequireNoIncident(credits)
		db.Travel(31 * time.Minute) // and no worker ran
		if incident := db.RequireIncident(credits, engine.CauseMissing); incident.Subject != "acct_1" {
			t.Errorf("the incident is of %s", incident.Subject)
		}
	}
	_ = test // an app names it TestLostCreditsAreFound
}

// A worker that fails leaves an incident, and one that succeeds resolves it.
func ExampleDatabase_RequireApplied() {
	test := func(t *testing.T) {
		db := enginetest.New(t)
		effects := db.Engine(engine.Config{})
		if err := acceptCredits(t.Context(), effects, db); err != nil {
			t.Fatal(err)
		}
		broken := errors.New("the ledger is down")
		work := func(context.Context, pgx.Tx) error { return broken }
		if err := effects.Apply(t.Context(), credits, work); !errors.Is(err, broken) {
			t.Fatal(err)
		}
		db.RequireIncident(credits, engine.CauseFailed)
		broken = nil
		if err := effects.Apply(t.Context(), credits, work); err != nil {
			t.Fatal(err)
		}
		db.RequireApplied(credits)
		db.RequireSound()
	}
	_ = test // an app names it TestFailedCreditsAreRepaired
}
