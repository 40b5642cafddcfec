package incidents_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
	"github.com/sendpromptly/sendpromptly/internal/store/rooms"
)

func TestChangesNowLeavesOutWhatWasAndMissesNothing(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	e := db.Engine(engine.Config{SweepInterval: 10 * time.Millisecond})
	fail := func(event string) engine.IncidentID {
		key := engine.Key{Provider: "stripe", EventID: event, Effect: "credit_grant"}
		err := pgx.BeginFunc(t.Context(), db.Pool, func(tx pgx.Tx) error {
			_, err := e.Accept(t.Context(), tx, engine.Acceptance{Key: key})
			return err
		})
		if err == nil {
			err = e.Fail(t.Context(), key, context.Canceled)
		}
		if err != nil {
			t.Fatal(err)
		}
		return db.RequireIncident(key, engine.CauseFailed).ID
	}
	fail("evt_before")
	s, err := rooms.Open(db.Pool, "")
	if err != nil {
		t.Fatal(err)
	}
	// Behind another transaction of the cluster that still runs, the change would come again.
	for settled := false; !settled; {
		const below = "SELECT pg_snapshot_xmin(pg_current_snapshot()) > max(xid) FROM sendpromptly.changes"
		if err := db.Pool.QueryRow(t.Context(), below).Scan(&settled); err != nil {
			t.Fatal(err)
		}
	}
	now, err := s.Incidents.ChangesNow(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	after := fail("evt_after")
	for change, err := range e.Changes(t.Context(), now) {
		if err != nil {
			t.Fatal(err)
		}
		if change.ID != string(after) {
			t.Errorf("the first change is of %s, want %s", change.ID, after)
		}
		return
	}
}
