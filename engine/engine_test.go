package engine_test

import (
	"context"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
	"github.com/sendpromptly/sendpromptly/internal/store/projects"
	"github.com/sendpromptly/sendpromptly/internal/store/rooms"
)

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

// accept records a receipt in a transaction of its own.
func accept(t testing.TB, db *enginetest.Database, e *engine.Engine, a engine.Acceptance) engine.Receipt {
	t.Helper()
	var receipt engine.Receipt
	err := pgx.BeginFunc(t.Context(), db.Pool, func(tx pgx.Tx) (err error) {
		receipt, err = e.Accept(t.Context(), tx, a)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return receipt
}

func key(event string) engine.Key {
	return engine.Key{Provider: "stripe", EventID: event, Effect: "credit_grant"}
}

// repairAt makes the default project's repair URL point at a handler.
func repairAt(t testing.TB, db *enginetest.Database, server *httptest.Server) {
	t.Helper()
	s, err := rooms.Open(db.Pool, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Projects.Set(t.Context(), "default", projects.Settings{RepairURL: &server.URL}, loopback, "test"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Projects.RotateCallbackSecret(t.Context(), "default", 0, "test"); err != nil {
		t.Fatal(err)
	}
}

func TestFromAMissedEffectToAResolvedIncident(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	e := db.Engine(engine.Config{AllowNetworks: loopback})
	k := key("evt_1")
	accept(t, db, e, engine.Acceptance{Key: k, EventType: "invoice.paid", Subject: "acct_1"})

	db.Travel(31 * time.Minute)
	incident := db.RequireIncident(k, engine.CauseMissing)

	repaired := 0
	server := httptest.NewServer(e.RepairHandler(func(_ context.Context, _ pgx.Tx, r engine.Repair) error {
		repaired++
		if r.Key != k || r.Subject != "acct_1" || r.Cause != engine.CauseMissing || r.Attempt != 1 {
			t.Errorf("repair = %+v", r)
		}
		return nil
	}))
	defer server.Close()
	repairAt(t, db, server)
	if _, err := e.Reprocess(t.Context(), incident.ID, "ada@example.com"); err != nil {
		t.Fatal(err)
	}
	if sent, err := enginetest.Deliver(t.Context(), e); sent != 1 || err != nil {
		t.Fatalf("Deliver = %d, %v", sent, err)
	}
	db.RequireApplied(k)
	if repaired != 1 {
		t.Errorf("repaired %d times", repaired)
	}
	if _, err := enginetest.Seal(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	db.RequireSound()
	t.Log(db.Story(k))
}
