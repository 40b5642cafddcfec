package console_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/adminserver"
	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
	"github.com/sendpromptly/sendpromptly/internal/store/projects"
	"github.com/sendpromptly/sendpromptly/internal/store/rooms"
)

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

// site is the admin server on a database of its own, with two projects whose
// repair endpoints are real.
type site struct {
	t       *testing.T
	db      *enginetest.Database
	store   *rooms.Rooms
	url     string
	keys    string
	handler atomic.Pointer[adminserver.Server]
	engines map[string]*engine.Engine
	// broken is why repairs fail; nil lets them pass.
	broken error
}

const prefix = "/ops"

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{t: t, db: enginetest.New(t), engines: map[string]*engine.Engine{}}
	var err error
	if s.store, err = rooms.Open(s.db.Pool, ""); err != nil {
		t.Fatal(err)
	}
	for _, project := range []string{"billing", "shop"} {
		s.addProject(project)
	}
	s.keys = t.TempDir()
	server := httptest.NewUnstartedServer(
		http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.handler.Load().ServeHTTP(w, r) }),
	)
	s.url = "http://" + server.Listener.Addr().String() + prefix
	s.restart()
	server.Start()
	t.Cleanup(server.Close)
	return s
}

// restart makes another admin server in place of the one before.
func (s *site) restart() {
	t := s.t
	admin, err := adminserver.New(t.Context(), adminserver.Config{
		Pool: s.db.Pool, BaseURL: s.url, AllowNetworks: loopback,
		Authenticate: whoever, ProofKeys: s.keys,
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	s.handler.Store(admin)
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan struct{})
	go func() { defer close(ended); _ = admin.Run(ctx) }()
	t.Cleanup(func() { stop(); <-ended })
}

func (s *site) addProject(project string) {
	s.t.Helper()
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.engines[project].RepairHandler(func(context.Context, pgx.Tx, engine.Repair) error { return s.broken }).ServeHTTP(w, r)
	}))
	s.t.Cleanup(endpoint.Close)
	if _, _, err := s.store.Projects.Create(
		s.t.Context(),
		project,
		projects.Settings{RepairURL: &endpoint.URL},
		loopback,
		"test",
	); err != nil {
		s.t.Fatal(err)
	}
	s.engines[project] = s.db.Engine(engine.Config{Project: project, AllowNetworks: loopback})
}

// whoever believes what the request says of itself: "name/role/project/recent".
func whoever(r *http.Request) (adminserver.Identity, bool, error) {
	parts := strings.Split(r.Header.Get("Who"), "/")
	if len(parts) != 4 {
		return adminserver.Identity{}, false, nil
	}
	role := map[string]adminserver.Role{
		"viewer": adminserver.Viewer, "operator": adminserver.Operator, "admin": adminserver.Admin,
	}[parts[1]]
	return adminserver.Identity{Name: parts[0], Role: role, Project: parts[2], Recent: parts[3] != ""}, true, nil
}

const (
	viewer   = "vera@example.com/viewer//recent"
	operator = "olga@example.com/operator//recent"
	admin    = "ada@example.com/admin//recent"
	stale    = "ada@example.com/admin//"
	shopOnly = "sam@example.com/admin/shop/recent"
)

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
}

// do sends a request as somebody; redirects are not followed.
func (s *site) do(who, method, path string, form url.Values, headers ...string) answer {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		s.t.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	r.Header.Set("Who", who)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	got, err := client.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer got.Body.Close()
	body, err := io.ReadAll(got.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return answer{got.StatusCode, got.Header, string(body)}
}

// get wants a page.
func (s *site) get(who, path string) string {
	s.t.Helper()
	got := s.do(who, http.MethodGet, path, nil)
	if got.status != http.StatusOK {
		s.t.Fatalf("GET %s: %d\n%s", path, got.status, got.body)
	}
	return got.body
}

// post wants a redirect and returns where to, without the prefix.
func (s *site) post(who, path string, form url.Values) string {
	s.t.Helper()
	got := s.do(who, http.MethodPost, path, form)
	if got.status != http.StatusSeeOther {
		s.t.Fatalf("POST %s: %d\n%s", path, got.status, got.body)
	}
	return strings.TrimPrefix(got.header.Get("Location"), prefix)
}

// accept records a receipt.
func (s *site) accept(project string, a engine.Acceptance) engine.Key {
	s.t.Helper()
	err := pgx.BeginFunc(s.t.Context(), s.db.Pool, func(tx pgx.Tx) error {
		_, err := s.engines[project].Accept(s.t.Context(), tx, a)
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return a.Key
}

// fail records a receipt and a failure, and returns the incident.
func (s *site) fail(project string, a engine.Acceptance, message string) engine.Incident {
	s.t.Helper()
	key := s.accept(project, a)
	if err := s.engines[project].Fail(s.t.Context(), key, errors.New(message)); err != nil {
		s.t.Fatal(err)
	}
	s.index()
	incident, err := enginetest.IncidentOf(s.t.Context(), s.engines[project], key)
	if err != nil {
		s.t.Fatal(err)
	}
	return incident
}

// index does the steps that an engine runs beside sweeping.
func (s *site) index() {
	s.t.Helper()
	for _, e := range s.engines {
		for _, step := range []func(context.Context, *engine.Engine) (int, error){enginetest.Sweep, enginetest.Index} {
			if _, err := step(s.t.Context(), e); err != nil {
				s.t.Fatal(err)
			}
		}
	}
}

// invoice is an ordinary acceptance.
func invoice(event, subject string) engine.Acceptance {
	return engine.Acceptance{
		Key:        engine.Key{Provider: "stripe", EventID: event, Effect: "credit_grant"},
		EventType:  "invoice.paid",
		Subject:    subject,
		Customer:   "cus_" + subject,
		Amount:     engine.Money{Minor: 4900, Currency: "EUR"},
		Objects:    []string{"in_" + event},
		OccurredAt: time.Now(),
	}
}

// has wants texts in a page.
func (s *site) has(page string, texts ...string) {
	s.t.Helper()
	for _, text := range texts {
		if !strings.Contains(page, text) {
			s.t.Errorf("the page does not say %q:\n%s", text, page)
		}
	}
}
