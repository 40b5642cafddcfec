package engine_test

// What docs/what-it-catches.md lists.

import (
	"context"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
	"github.com/sendpromptly/sendpromptly/engine/shopify"
	"github.com/sendpromptly/sendpromptly/engine/stripe"
	"github.com/sendpromptly/sendpromptly/internal/samples"
)

func TestALostEventThatIsDeliveredAgainTellsSo(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	s := newShop(t, db)
	for range 2 {
		deliverSample(t, s.stripeWebhook, "stripe", "invoice.paid", stripeSecret, "evt_1")
	}
	if queue := s.queued(t); len(queue) != 1 { // taken by a worker that dies
		t.Fatalf("queued %+v", queue)
	}
	db.Travel(31 * time.Minute)
	db.RequireIncident(key("evt_1"), engine.CauseMissing)
	if story := db.Story(key("evt_1")); !strings.Contains(story, "duplicate") {
		t.Error(story)
	}
}

func TestALateSuccessResolvesByItself(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	s := newShop(t, db)
	deliverSample(t, s.stripeWebhook, "stripe", "invoice.paid", stripeSecret, "evt_1")
	db.Travel(31 * time.Minute)
	db.RequireIncident(key("evt_1"), engine.CauseMissing)
	db.Travel(29 * time.Minute)
	if err := s.work(t.Context(), s.queued(t)[0]); err != nil {
		t.Fatal(err)
	}
	s.requireCredits(t, 100)
	db.RequireApplied(key("evt_1"))
	db.RequireSound()
}

// Each of the ten event types, by each of the two causes: received, lost,
// found, repaired. docs/what-it-catches.md lists them.
func TestEveryEventTypeIsFoundAndRepaired(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	effects := db.Engine(engine.Config{AllowNetworks: loopback})
	repaired := map[engine.Key]int{}
	server := httptest.NewServer(effects.RepairHandler(func(_ context.Context, _ pgx.Tx, r engine.Repair) error {
		repaired[r.Key]++ // one callback at a time
		return nil
	}))
	t.Cleanup(server.Close)
	repairAt(t, db, server)
	for provider, types := range samples.Types {
		for _, eventType := range types {
			for _, cause := range []engine.Cause{engine.CauseMissing, engine.CauseFailed} {
				a := receiveSample(t, provider, eventType, eventType+"-"+string(cause))
				accept(t, db, effects, a)
				if cause == engine.CauseFailed {
					if err := effects.Fail(t.Context(), a.Key, errors.New("no such account")); err != nil {
						t.Fatal(err)
					}
				} else {
					db.Travel(31 * time.Minute)
				}
				incident := db.RequireIncident(a.Key, cause)
				if incident.EventType != eventType || len(incident.Objects) == 0 || incident.Effect == "" {
					t.Errorf("%s: the incident does not tell its story: %+v", a.Key, incident)
				}
				if _, err := effects.Reprocess(t.Context(), incident.ID, "ada@example.com"); err != nil {
					t.Fatal(err)
				}
				if _, err := enginetest.Deliver(t.Context(), effects); err != nil {
					t.Fatal(err)
				}
				db.RequireApplied(a.Key)
			}
		}
	}
	for k, times := range repaired {
		if times != 1 {
			t.Errorf("%s was repaired %d times", k, times)
		}
	}
	if len(repaired) != 20 {
		t.Errorf("%d effects were repaired, want 20", len(repaired))
	}
	db.RequireSound()
}

// receiveSample is a signed sample as the provider's package reads it.
func receiveSample(t testing.TB, provider, eventType, eventID string) engine.Acceptance {
	t.Helper()
	body, header, err := samples.Signed(provider, eventType, stripeSecret, samples.Values{EventID: eventID}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if provider == stripe.Provider {
		event, err := stripe.Open(body, header, time.Now(), stripeSecret)
		if err != nil {
			t.Fatal(err)
		}
		return event.Acceptance
	}
	event, err := shopify.Open(body, header, stripeSecret)
	if err != nil {
		t.Fatal(err)
	}
	return event.Acceptance
}
