package engine_test

import (
	"errors"
	"testing"
	"time"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
)

func TestFindTellsOneEffectFromItsReceiptToItsIncident(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	e := db.Engine(engine.Config{})
	k := key("evt_1")
	if found, err := e.Find(t.Context(), k); !errors.Is(err, engine.ErrUnknownEffect) || found.ID != "" {
		t.Errorf("without a receipt: %+v, %v", found, err)
	}
	receipt := accept(t, db, e, engine.Acceptance{Key: k, Subject: "acct_1", Timeout: time.Minute})
	found, err := e.Find(t.Context(), k)
	if err != nil || found.State != engine.StateAwaiting || found.IncidentID != "" || !found.SucceededAt.IsZero() {
		t.Errorf("awaiting: %+v, %v", found, err)
	}
	if found.ID != receipt.EffectID || found.Key != k || found.Subject != "acct_1" || found.Timeout != time.Minute ||
		!found.Deadline.Equal(receipt.Deadline) || !found.AcceptedAt.Equal(receipt.Deadline.Add(-time.Minute)) {
		t.Errorf("the receipt comes back as %+v", found)
	}
	db.Travel(2 * time.Minute)
	incident := db.RequireIncident(k, engine.CauseMissing)
	if found, err = e.Find(t.Context(), k); err != nil || found.State != engine.StateMissing || found.IncidentID != incident.ID {
		t.Errorf("missing: %+v, %v", found, err)
	}

	soon := key("evt_2")
	accept(t, db, e, engine.Acceptance{Key: soon})
	if err := succeed(t.Context(), db.Pool, e, soon); err != nil {
		t.Fatal(err)
	}
	if found, err = e.Find(t.Context(), soon); err != nil || found.State != engine.StateApplied ||
		found.SucceededAt.Before(found.AcceptedAt) {
		t.Errorf("applied: %+v, %v", found, err)
	}
}
