package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
	"github.com/sendpromptly/sendpromptly/internal/samples"
	"github.com/sendpromptly/sendpromptly/internal/store/projects"
	"github.com/sendpromptly/sendpromptly/internal/store/rooms"
)

const secret = "whsec_example"

// The README's walk: a payment that goes well, and one that is lost and repaired.
func TestTheExampleLosesAPaymentAndGetsItBack(t *testing.T) {
	t.Setenv("STRIPE_WEBHOOK_SECRET", secret)
	t.Setenv("SENDPROMPTLY_ALLOW_NETWORKS", "127.0.0.0/8")
	db := enginetest.New(t)
	s, err := open(t.Context(), db.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer s.pool.Close()
	server := httptest.NewServer(s.routes())
	defer server.Close()
	repairAt(t, db, server.URL+"/sendpromptly/repair")

	pay(t, server.URL, "evt_1")
	pay(t, server.URL, "evt_1")
	if err := s.workOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
	requireCredits(t, db, 100)

	pay(t, server.URL, "evt_2")
	db.Travel(31 * time.Minute)
	lost := engine.Key{Provider: "stripe", EventID: "evt_2", Effect: "credit_grant"}
	incident := db.RequireIncident(lost, engine.CauseMissing)
	if _, err := s.effects.Reprocess(t.Context(), incident.ID, "ada@example.com"); err != nil {
		t.Fatal(err)
	}
	if _, err := enginetest.Deliver(t.Context(), s.effects); err != nil {
		t.Fatal(err)
	}
	db.RequireApplied(lost)
	if err := s.workOnce(t.Context()); err != nil { // the job that was left in the queue
		t.Fatal(err)
	}
	requireCredits(t, db, 200)
	db.RequireSound()
}

func repairAt(t *testing.T, db *enginetest.Database, url string) {
	t.Helper()
	settings, err := rooms.Open(db.Pool, "")
	if err != nil {
		t.Fatal(err)
	}
	loopback := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	if _, err := settings.Projects.Set(t.Context(), "default", projects.Settings{RepairURL: &url}, loopback, "test"); err != nil {
		t.Fatal(err)
	}
	if _, err := settings.Projects.RotateCallbackSecret(t.Context(), "default", 0, "test"); err != nil {
		t.Fatal(err)
	}
}

// pay is Stripe.
func pay(t *testing.T, url, eventID string) {
	t.Helper()
	body, header, err := samples.Signed(
		"stripe",
		"invoice.paid",
		secret,
		samples.Values{EventID: eventID, Reference: "acct_1"},
		time.Now(),
	)
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/webhooks/stripe", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header = header
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Fatalf("%s is answered %s", eventID, answer.Status)
	}
}

func requireCredits(t *testing.T, db *enginetest.Database, want int) {
	t.Helper()
	var got int
	if err := db.Pool.QueryRow(t.Context(), `SELECT balance FROM credits WHERE account = 'acct_1'`).Scan(&got); err != nil {
		t.Fatal(err)
	}
	if got != want {
		t.Fatalf("acct_1 has %d credits, want %d", got, want)
	}
}
