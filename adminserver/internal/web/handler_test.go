package web

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sendpromptly/sendpromptly/adminserver/internal/identity"
)

// site mounts routes where the header X-Who says who asks.
func site(t *testing.T, base string, log io.Writer, routes ...Route) *Handler {
	t.Helper()
	parsed, err := ParseBase(base)
	if err != nil {
		t.Fatal(err)
	}
	people := map[string]identity.Identity{
		"viewer": {Name: "v", Role: identity.Viewer}, "admin": {Name: "a", Role: identity.Admin},
		"recent": {Name: "r", Role: identity.Admin, Recent: true},
	}
	h, err := NewHandler(Options{
		Base: parsed, Logger: slog.New(slog.NewTextHandler(log, nil)), LoginPath: "/login",
		Authenticate: func(r *http.Request) (identity.Identity, bool, error) {
			if r.Header.Get("X-Who") == "broken" {
				return identity.Identity{}, false, errors.New("the database is away")
			}
			who, ok := people[r.Header.Get("X-Who")]
			return who, ok, nil
		},
	}, routes)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func said(text string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) })
}

// ask sends a request; headers are "Name: value".
func ask(h http.Handler, method, target string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(context.Background(), method, target, nil)
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestARouteKeepsOutWhomItIsNotFor(t *testing.T) {
	t.Parallel()
	h := site(t, "http://ops.example.com", io.Discard,
		Route{Pattern: "GET /page", Role: identity.Viewer, Handler: said("page")},
		Route{Pattern: "POST /act", Role: identity.Admin, Handler: said("acted")},
		Route{Pattern: "POST /keys", Role: identity.Admin, Recent: true, Handler: said("made")},
		Route{Pattern: "GET /api/admin/v1/things", Kind: API, Role: identity.Viewer, Handler: said("[]")},
		Route{Pattern: "GET /open", Handler: said("open")})
	for _, test := range []struct {
		method, path, who string
		headers           []string
		status            int
	}{
		{"GET", "/page", "", nil, 303},
		{"GET", "/page", "viewer", nil, 200},
		{"GET", "/page", "broken", nil, 503},
		{"POST", "/act", "", nil, 401},
		{"POST", "/act", "viewer", nil, 403},
		{"POST", "/act", "admin", nil, 200},
		{"POST", "/act", "admin", []string{"Sec-Fetch-Site: cross-site"}, 403},
		{"POST", "/act", "admin", []string{"Origin: https://evil.example"}, 403},
		{"POST", "/act", "admin", []string{"Origin: http://ops.example.com"}, 200},
		{"POST", "/keys", "admin", nil, 403},
		{"POST", "/keys", "recent", nil, 200},
		{"GET", "/api/admin/v1/things", "", nil, 401},
		{"GET", "/api/admin/v1/things", "viewer", nil, 200},
		{"GET", "/open", "", nil, 200},
		{"GET", "/open", "broken", nil, 200},
		{"DELETE", "/page", "admin", nil, 405},
		{"GET", "/nothing", "admin", nil, 404},
		{"GET", "//page", "admin", nil, 404},
		{"GET", "/page/", "admin", nil, 404},
	} {
		w := ask(h, test.method, test.path, append(test.headers, "X-Who: "+test.who)...)
		if w.Code != test.status {
			t.Errorf("%s %s as %q with %v: %d, want %d", test.method, test.path, test.who, test.headers, w.Code, test.status)
		}
		for _, header := range []string{"Content-Security-Policy", "X-Content-Type-Options", "X-Request-Id", "Cache-Control"} {
			if w.Header().Get(header) == "" {
				t.Errorf("%s %s: no %s", test.method, test.path, header)
			}
		}
	}
	if w := ask(h, "GET", "/page?q=1"); w.Header().Get("Location") != "/login?next=%2Fpage%3Fq%3D1" {
		t.Errorf("sent to %s", w.Header().Get("Location"))
	}
	if w := ask(h, "POST", "/page"); w.Code != 405 || w.Header().Get("Allow") != "GET, HEAD" {
		t.Errorf("%d, Allow: %s", w.Code, w.Header().Get("Allow"))
	}
}

func TestErrorsHaveTheFormOfTheirNeighbours(t *testing.T) {
	t.Parallel()
	h := site(t, "http://ops.example.com", io.Discard, Route{Pattern: "POST /api/v1/receipt", Kind: Wire, Handler: said("{}")})
	for path, kind := range map[string]string{
		"/api/admin/v1/x": "application/problem+json", "/api/v1/x": "application/json",
		"/v1/receipt": "application/json", "/x": "text/html; charset=utf-8",
	} {
		w := ask(h, "GET", path)
		if w.Code != 404 || w.Header().Get("Content-Type") != kind || w.Body.Len() > 4096 {
			t.Errorf("%s: %d %s, %d bytes", path, w.Code, w.Header().Get("Content-Type"), w.Body.Len())
		}
	}
}

func TestThePrefixIsTakenAwayAndProbesNeedNone(t *testing.T) {
	t.Parallel()
	path := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.URL.Path+" "+r.PathValue("id"))
	})
	h := site(t, "https://ops.example.com/a%20b", io.Discard, Route{Pattern: "GET /{$}", Handler: path},
		Route{Pattern: "GET /incidents/{id}", Handler: path}, Route{Pattern: "GET /healthz", Probe: true, Handler: path})
	for target, want := range map[string]string{
		"/a%20b": "/ ", "/a%20b/": "/ ", "/a%20b/incidents/1": "/incidents/1 1",
		"/a%20b/incidents/x%2Fy": "/incidents/x/y x/y", "/healthz": "/healthz ", "/a%20b/healthz": "/healthz ",
	} {
		if w := ask(h, "GET", target); w.Code != 200 || w.Body.String() != want {
			t.Errorf("%s: %d %q", target, w.Code, w.Body.String())
		}
	}
	for _, target := range []string{"/incidents/1", "/a%20bc/incidents/1", "/"} {
		if w := ask(h, "GET", target); w.Code != 404 {
			t.Errorf("%s: %d", target, w.Code)
		}
	}
}

func TestAPanicIsAnsweredAndLoggedAndSecretsAreNot(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	h := site(t, "http://ops.example.com", &log,
		Route{Pattern: "GET /boom", Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("boom") })},
		Route{Pattern: "GET /login/{token}", Handler: said("confirm")})
	if w := ask(h, "GET", "/boom"); w.Code != 500 || strings.Contains(w.Body.String(), "boom") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	ask(h, "GET", "/login/hunter2?code=hunter2", "Authorization: Bearer hunter2", "Cookie: hunter2=hunter2")
	if text := log.String(); strings.Contains(text, "hunter2") || !strings.Contains(text, `panic=boom`) ||
		!strings.Contains(text, "route=/login/{token}") || strings.Count(text, "request_id=") != 3 {
		t.Error(text)
	}
}

func TestABodyIsBounded(t *testing.T) {
	t.Parallel()
	var got error
	h := site(t, "http://ops.example.com", io.Discard, Route{Pattern: "POST /small", MaxBody: 10, Handler: http.HandlerFunc(
		func(_ http.ResponseWriter, r *http.Request) { _, got = io.ReadAll(r.Body) })})
	for _, length := range []int64{-1, 11} {
		r := httptest.NewRequestWithContext(t.Context(), "POST", "/small", strings.NewReader(strings.Repeat("x", 11)))
		r.ContentLength, got = length, nil
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		var tooBig *http.MaxBytesError
		if w.Code != 413 && !errors.As(got, &tooBig) {
			t.Errorf("length %d: %d, %v", length, w.Code, got)
		}
	}
}

func TestStreamsEndWhenTheServerCloses(t *testing.T) {
	t.Parallel()
	base, err := ParseBase("http://ops.example.com")
	if err != nil {
		t.Fatal(err)
	}
	closing, closeAll := context.WithCancel(t.Context())
	h, err := NewHandler(Options{
		Base: base, Logger: slog.New(slog.DiscardHandler), Closing: closing,
		Authenticate: func(*http.Request) (identity.Identity, bool, error) { return identity.Identity{}, false, nil },
	},
		[]Route{{Pattern: "GET /events", Stream: true, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(200)
			closeAll()
			<-r.Context().Done()
		})}})
	if err != nil {
		t.Fatal(err)
	}
	if w := ask(h, "GET", "/events"); w.Code != 200 {
		t.Error(w.Code)
	}
}
