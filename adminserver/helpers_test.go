package adminserver_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/sendpromptly/sendpromptly/adminserver"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
	"github.com/sendpromptly/sendpromptly/internal/store/rooms"
)

// loopback is where the tests' own servers listen.
var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

// site is a server on a database of its own.
type site struct {
	t      *testing.T
	db     *enginetest.Database
	store  *rooms.Rooms
	server *adminserver.Server
	url    string
	log    *lines
}

// newSite starts a server; change completes its configuration.
func newSite(t *testing.T, change func(*adminserver.Config)) *site {
	t.Helper()
	return newSiteOn(t, enginetest.New(t), change)
}

// newSiteOn is newSite on a database that is there.
func newSiteOn(t *testing.T, db *enginetest.Database, change func(*adminserver.Config)) *site {
	t.Helper()
	st, err := rooms.Open(db.Pool, "")
	if err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, db: db, store: st, log: &lines{}}
	listener := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.server.ServeHTTP(w, r) }))
	t.Cleanup(listener.Close)
	s.url = listener.URL
	cfg := adminserver.Config{
		Pool:          db.Pool,
		BaseURL:       s.url,
		AllowNetworks: loopback,
		Logger:        slog.New(slog.NewTextHandler(s.log, nil)),
	}
	if change != nil {
		change(&cfg)
	}
	if s.server, err = adminserver.New(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	return s
}

// waitForLog waits until the log says something, as what goes on in the background does.
func (s *site) waitForLog(text string) {
	s.t.Helper()
	for end := time.Now().Add(20 * time.Second); !strings.Contains(s.log.String(), text); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			s.t.Fatalf("the log does not say %q", text)
		}
	}
}

// browser is somebody with cookies who follows no redirect by itself.
type browser struct {
	*site
	client *http.Client
}

func (s *site) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return &browser{
		s,
		&http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}
}

// answer is what came back.
type answer struct {
	*http.Response
	text string
}

func (b *browser) do(method, path string, form url.Values, headers ...string) answer {
	b.t.Helper()
	if strings.HasPrefix(path, "/") {
		path = b.url + path
	}
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	r, err := http.NewRequestWithContext(b.t.Context(), method, path, body)
	if err != nil {
		b.t.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		r.Header.Set(name, value)
	}
	response, err := b.client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return answer{response, string(text)}
}

func (b *browser) get(path string) answer { b.t.Helper(); return b.do(http.MethodGet, path, nil) }

// require ends the test unless the answer has the status and, where it is a
// redirect, leads there.
func (a answer) require(t *testing.T, status int, location string) answer {
	t.Helper()
	if a.StatusCode != status || a.Header.Get("Location") != location {
		t.Fatalf(
			"%s %s: %d to %q, want %d to %q\n%s",
			a.Request.Method,
			a.Request.URL,
			a.StatusCode,
			a.Header.Get("Location"),
			status,
			location,
			a.text,
		)
	}
	return a
}

// invited is a browser logged in by a link.
func (s *site) invited(email, role string) *browser {
	s.t.Helper()
	link, err := s.store.Access.Operators.Invite(s.t.Context(), email, role, "test")
	if err != nil {
		s.t.Fatal(err)
	}
	b := s.browser()
	b.do("POST", "/login/"+link, url.Values{}).require(s.t, 303, "/")
	return b
}

// token is the secret of a new token.
func (s *site) token(role, project string) string {
	s.t.Helper()
	_, secret, err := s.store.Access.Tokens.Create(s.t.Context(), role, role, project, 0, "test")
	if err != nil {
		s.t.Fatal(err)
	}
	return secret
}

// session is the browser's session cookie.
func (b *browser) session() *http.Cookie {
	at, err := url.Parse(b.url)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, cookie := range b.client.Jar.Cookies(at) {
		if strings.HasSuffix(cookie.Name, "sendpromptly") {
			return cookie
		}
	}
	return nil
}
