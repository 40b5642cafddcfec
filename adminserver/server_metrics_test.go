package adminserver_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
)

// scrape is a scrape from an address.
func (s *site) scrape(from string, headers ...string) (status int, text string) {
	r := httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/metrics", nil)
	r.RemoteAddr = from
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	s.server.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

func TestMetricsNeedATokenOffLoopback(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	token := "Authorization: Bearer " + s.token("viewer", "")
	for _, test := range []struct {
		from   string
		header string
		status int
	}{
		{"127.0.0.1:1", "X: y", 200},
		{"[::1]:1", "X: y", 200},
		{"203.0.113.1:1", "X: y", 401},
		{"203.0.113.1:1", "X-Forwarded-For: 127.0.0.1", 401},
		{"127.0.0.1:1", "X-Forwarded-For: 203.0.113.1", 401},
		{"127.0.0.1:1", "X-Forwarded-For: 127.0.0.1", 401},
		{"203.0.113.1:1", token, 200},
		{"203.0.113.1:1", "Authorization: Bearer spt_" + strings.Repeat("A", 40), 401},
		{"203.0.113.1:1", "Authorization: Bearer " + s.token("admin", "default"), 401},
	} {
		if status, _ := s.scrape(test.from, test.header); status != test.status {
			t.Errorf("from %s with %.30s: %d, want %d", test.from, test.header, status, test.status)
		}
	}
}

func TestMetricsCountWhatHappened(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	s.scrape("127.0.0.1:1") // begins to count
	e := s.db.Engine(engine.Config{})
	key := func(id string) engine.Key { return engine.Key{Provider: "stripe", EventID: id, Effect: "credit_grant"} }
	accept := func(id string, timeout time.Duration) {
		err := pgx.BeginFunc(t.Context(), s.db.Pool, func(tx pgx.Tx) error {
			_, err := e.Accept(t.Context(), tx, engine.Acceptance{Key: key(id), Timeout: timeout})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	accept("evt_1", time.Minute)
	accept("evt_2", time.Minute)
	accept("evt_3", time.Hour)
	s.db.Travel(2 * time.Minute)
	if _, text := s.scrape(
		"127.0.0.1:1",
	); !strings.Contains(text, "sendpromptly_overdue 2\n") ||
		!strings.Contains(text, "sendpromptly_owed 3\n") {
		t.Error(text)
	}
	if _, err := enginetest.Sweep(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	if err := e.Apply(t.Context(), key("evt_1"), func(context.Context, pgx.Tx) error { return nil }); err != nil {
		t.Fatal(err)
	}
	s.browser().get("/incidents/nothing?secret=hunter2")
	_, text := s.scrape("127.0.0.1:1")
	for _, line := range []string{
		"sendpromptly_overdue 0", "sendpromptly_owed 1", "sendpromptly_incidents_opened_total 2",
		"sendpromptly_incidents_resolved_total 1",
		`sendpromptly_callbacks_total{outcome="accepted"} 0`, "sendpromptly_database_up 1", "sendpromptly_lag_seconds 0",
		"sendpromptly_sweep_duration_seconds 0",
		`sendpromptly_http_request_duration_seconds_count{method="GET",route="/incidents/{id}",status="303"} 1`,
	} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("no %s", line)
		}
	}
	if strings.Contains(text, "hunter2") || t.Failed() {
		t.Error(text)
	}
	if _, again := s.scrape("127.0.0.1:1"); !strings.Contains(again, "sendpromptly_incidents_opened_total 2\n") {
		t.Error("counted twice")
	}
}
