package store_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
	"github.com/sendpromptly/sendpromptly/internal/store"
)

// An attempt shows each callback with its answer, and when the next one goes out.
func TestAttemptsShowTheirCallbacks(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "<b>the ledger is down</b>", http.StatusBadGateway)
	}))
	t.Cleanup(endpoint.Close)
	loopback := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	needs(s.st.RotateCallbackSecret(t.Context(), "default", 0, "ada"))(t)
	needs(s.st.SetProject(t.Context(), "default", store.ProjectSettings{RepairURL: &endpoint.URL}, loopback, "ada"))(t)
	s.e = s.Engine(engine.Config{AllowNetworks: loopback})
	s.accept(engine.Acceptance{Key: credits("evt_1")})
	incident := s.failed(credits("evt_1"), "boom")
	asked := needs(s.e.Reprocess(t.Context(), incident.ID, "ada"))(t)
	needs(enginetest.Deliver(t.Context(), s.e))(t)
	attempts := needs(s.st.Attempts(t.Context(), "default", incident.ID))(t)
	if len(attempts) != 1 || len(attempts[0].Callbacks) != 1 {
		t.Fatalf("attempts = %+v", attempts)
	}
	a, c := attempts[0], attempts[0].Callbacks[0]
	if a.ReplayID != asked.ReplayID || a.Operator != "ada" || a.Delivery != "waiting" || a.Tries != 1 || !a.NextAt.After(a.RequestedAt) || a.Result != "" {
		t.Errorf("attempt = %+v", a)
	}
	if c.Status != http.StatusBadGateway || c.Answer != "<b>the ledger is down</b>\n" || c.URL != endpoint.URL {
		t.Errorf("callback = %+v", c)
	}
	need(t, 0, s.e.TryNow(t.Context(), incident.ID, "bob"))
	needs(enginetest.Deliver(t.Context(), s.e))(t)
	if _, err := s.e.Stop(t.Context(), incident.ID, "ada"); err != nil {
		t.Fatal(err)
	}
	a = needs(s.st.Attempts(t.Context(), "default", incident.ID))(t)[0]
	if a.Tries != 2 || len(a.Callbacks) != 2 || a.Result != "stopped" || a.FinishedAt.IsZero() || !a.NextAt.IsZero() {
		t.Errorf("attempt = %+v", a)
	}
	needs(first3(s.st.CreateProject(t.Context(), "other", store.ProjectSettings{}, nil, "ada")))(t)
	if elsewhere := needs(s.st.Attempts(t.Context(), "other", incident.ID))(t); len(elsewhere) > 0 {
		t.Errorf("of another project: %+v", elsewhere)
	}
	s.RequireSound()
}
