package incidents_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
	"github.com/sendpromptly/sendpromptly/internal/store/projects"
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
	needs(s.st.Projects.RotateCallbackSecret(t.Context(), "default", 0, "ada"))(t)
	needs(s.st.Projects.Set(t.Context(), "default", projects.Settings{RepairURL: &endpoint.URL}, loopback, "ada"))(t)
	s.e = s.Engine(engine.Config{AllowNetworks: loopback})
	s.accept(engine.Acceptance{Key: credits("evt_1")})
	incident := s.failed(credits("evt_1"), "boom")
	asked := needs(s.e.Reprocess(t.Context(), incident.ID, "ada"))(t)
	needs(enginetest.Deliver(t.Context(), s.e))(t)
	attempts := needs(s.st.Incidents.Attempts(t.Context(), "default", incident.ID))(t)
	if len(attempts) != 1 || len(attempts[0].Callbacks) != 1 {
		t.Fatalf("attempts = %+v", attempts)
	}
	a, c := attempts[0], attempts[0].Callbacks[0]
	if a.ReplayID != asked.ReplayID || a.Operator != "ada" || a.Delivery != "waiting" || a.Tries != 1 ||
		!a.NextAt.After(a.RequestedAt) ||
		a.Result != "" {
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
	a = needs(s.st.Incidents.Attempts(t.Context(), "default", incident.ID))(t)[0]
	if a.Tries != 2 || len(a.Callbacks) != 2 || a.Result != "stopped" || a.FinishedAt.IsZero() || !a.NextAt.IsZero() {
		t.Errorf("attempt = %+v", a)
	}
	needs(first3(s.st.Projects.Create(t.Context(), "other", projects.Settings{}, nil, "ada")))(t)
	if elsewhere := needs(s.st.Incidents.Attempts(t.Context(), "other", incident.ID))(t); len(elsewhere) > 0 {
		t.Errorf("of another project: %+v", elsewhere)
	}
	s.RequireSound()
}

// Many attempts end at once: each ends its own callback, and reads nobody else's. The work grows with the storm, and not
// with its square.
func TestAStormOfAttemptsEndsEachByItsKey(t *testing.T) {
	t.Parallel()
	const storm = 500
	s := newShop(t)
	for n := range storm {
		s.accept(engine.Acceptance{Key: credits(fmt.Sprint("evt_", n))})
	}
	s.Travel(31 * time.Minute)
	needs(enginetest.Sweep(t.Context(), s.e))(t)
	s.exec(`SELECT sendpromptly.reprocess(i.incident_id, 'ada', '1 hour') FROM sendpromptly.incidents AS i`)
	s.Travel(2 * time.Hour)
	cfg := needs(pgxpool.ParseConfig(s.URL))(t)
	cfg.MaxConns = 1 // one session, whose reads are counted
	pool := needs(pgxpool.NewWithConfig(t.Context(), cfg))(t)
	t.Cleanup(pool.Close)
	before := entriesRead(t, pool, "callbacks", "attempts")
	needs(pool.Exec(t.Context(), `SELECT sendpromptly.expire_attempts(1000)`))(t)
	if n := entriesRead(t, pool, "callbacks", "attempts") - before; n > 10*storm {
		t.Errorf("the end of %d attempts reads %d entries", storm, n)
	}
	if n := s.count("SELECT count(*) FROM sendpromptly.callbacks WHERE state = 'cancelled'"); n != storm {
		t.Errorf("%d callbacks were cancelled", n)
	}
}

// entriesRead is how many index entries of these tables were read so far.
func entriesRead(t *testing.T, pool *pgxpool.Pool, tables ...string) (n int) {
	t.Helper()
	needs(pool.Exec(t.Context(), "SELECT pg_stat_force_next_flush()"))(t)
	err := pool.QueryRow(t.Context(), `SELECT sum(idx_tup_read)::int FROM pg_stat_user_indexes
		WHERE schemaname = 'sendpromptly' AND relname = ANY ($1)`, tables).Scan(&n)
	return need(t, n, err)
}
