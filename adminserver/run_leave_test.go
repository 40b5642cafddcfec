package adminserver_test

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"runtime/pprof"
	"strings"
	"testing"
	"time"

	"github.com/sendpromptly/sendpromptly/adminserver"
	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
)

// goroutines are those that were started, at any remove, under a label: what
// other tests do meanwhile does not count.
func goroutines(t *testing.T, label string) string {
	t.Helper()
	var all bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&all, 1); err != nil {
		t.Fatal(err)
	}
	var ours []string
	for group := range strings.SplitSeq(all.String(), "\n\n") {
		if strings.Contains(group, label) {
			ours = append(ours, group)
		}
	}
	return strings.Join(ours, "\n\n")
}

// A server whose Run has returned leaves nothing behind, although pages were
// live, streams were read and mails were asked for until the end.
func TestAStoppedServerLeavesNothingRunning(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	address, _ := postOffice(t)
	if err := db.Pool.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	label := t.Name()
	pprof.Do(t.Context(), pprof.Labels("test", label), func(context.Context) {
		s := newSiteOn(t, db, func(c *adminserver.Config) {
			c.SMTP = adminserver.SMTP{Address: address, From: "ops@example.com", Plain: true}
		})
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 2)
		go func() { ended <- s.server.Run(ctx) }()
		go func() { ended <- db.Engine(engine.Config{}).Run(ctx) }()
		served := httptest.NewServer(s.server)
		b := s.invited("ada@example.com", "admin")
		for _, path := range []string{"/events", "/api/admin/v1/events", "/events"} {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, served.URL+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.AddCookie(b.session())
			response, err := b.client.Do(r)
			if err != nil || response.StatusCode != 200 {
				t.Fatalf("%s: %v, %v", path, response, err)
			}
			t.Cleanup(func() { _ = response.Body.Close() })
		}
		b.do("POST", "/login", map[string][]string{"email": {"ada@example.com"}})
		if !strings.Contains(goroutines(t, label), "adminserver") {
			t.Error("the streams are not seen: what is looked for is wrong")
		}
		began := time.Now()
		stop()
		for range 2 {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
		served.Close() // waits for every request
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("it took %s", took)
		}
		b.client.CloseIdleConnections()
		http.DefaultClient.CloseIdleConnections()
	})
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		left := goroutines(t, label)
		var running []string
		for group := range strings.SplitSeq(left, "\n\n") {
			// The connections of the database's pool and of the test's own listener outlive the server.
			if strings.Contains(group, "/adminserver/internal/") || strings.Contains(group, "/engine.") ||
				strings.Contains(group, "/internal/store.") {
				running = append(running, group)
			}
		}
		if len(running) == 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("still running:\n%s", strings.Join(running, "\n\n"))
		}
	}
}
