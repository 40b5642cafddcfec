package web

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sendpromptly/sendpromptly/adminserver/internal/identity"
)

// door lets in whom it knows by the header X-Who, as long as it knows them.
type door struct {
	mu    sync.Mutex
	known map[string]identity.Identity
	err   error
	// panics is for an app's own function that does.
	panics bool
}

func (d *door) panic(yes bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.panics = yes
}

func (d *door) set(name string, who identity.Identity, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.known[name], d.err = who, err
}

func (d *door) authenticate(r *http.Request) (identity.Identity, bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.panics {
		panic("broken door")
	}
	who, known := d.known[r.Header.Get("X-Who")]
	return who, known && who.Name != "", d.err
}

func newDoor() *door {
	return &door{
		known: map[string]identity.Identity{"ada": {Name: "ada", Role: identity.Operator}, "bob": {Name: "bob", Role: identity.Viewer}},
	}
}

// listening mounts one stream for operators, which says hello and goes on.
func (d *door) listening(t *testing.T, role identity.Role) *Handler {
	t.Helper()
	base, err := ParseBase("http://ops.example.com")
	if err != nil {
		t.Fatal(err)
	}
	h, err := NewHandler(Options{Base: base, Logger: slog.New(slog.DiscardHandler), Authenticate: d.authenticate}, []Route{{
		Pattern: "GET /events", Role: role,
		Stream: true, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, "hello")
			<-r.Context().Done()
		}),
	}})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestAStreamEndsWithTheAccessOfItsReader(t *testing.T) {
	t.Parallel()
	for why, now := range map[string]identity.Identity{
		"removed": {}, "of a lower role": {Name: "ada", Role: identity.Viewer},
		"of one project now": {Name: "ada", Role: identity.Operator, Project: "billing"},
	} {
		t.Run(why, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := newDoor()
				h, ended := d.listening(t, identity.Operator), make(chan struct{})
				go func() { defer close(ended); ask(h, "GET", "/events", "X-Who: ada") }()
				hears := func(want bool) {
					t.Helper()
					synctest.Wait()
					select {
					case <-ended:
						if want {
							t.Error("the stream ended")
						}
					default:
						if !want {
							t.Error("the stream goes on")
						}
					}
				}
				time.Sleep(time.Hour)
				hears(true)
				d.set("ada", identity.Identity{}, context.DeadlineExceeded) // the database is away
				time.Sleep(time.Hour)
				hears(true)
				d.panic(true) // outside of a request, where nobody else would recover
				time.Sleep(time.Hour)
				hears(true)
				d.panic(false)
				d.set("ada", now, nil)
				time.Sleep(askAgain)
				hears(false)
			})
		})
	}
}

func TestNobodyTakesTheStreamsOfOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newDoor().listening(t, identity.Viewer)
		ctx, leave := context.WithCancel(t.Context())
		defer leave()
		open := func(who string) *httptest.ResponseRecorder {
			r, w := httptest.NewRequestWithContext(ctx, "GET", "/events", nil), httptest.NewRecorder()
			r.Header.Set("X-Who", who)
			go h.ServeHTTP(w, r)
			synctest.Wait()
			return w
		}
		for range maxStreams {
			if w := open("ada"); w.Code != 200 {
				t.Fatal(w.Code)
			}
		}
		if w := open("ada"); w.Code != 503 {
			t.Errorf("one too many: %d", w.Code)
		}
		if w := open("bob"); w.Code != 200 || w.Body.String() != "hello" {
			t.Errorf("somebody else: %d", w.Code)
		}
		leave()
		synctest.Wait()
		ctx, leave = context.WithCancel(t.Context())
		defer leave()
		if w := open("ada"); w.Body.String() != "hello" {
			t.Errorf("after the others left: %d", w.Code)
		}
		leave()
		synctest.Wait()
		if len(h.streams.open) > 0 {
			t.Errorf("counted although they left: %v", h.streams.open)
		}
	})
}

// A body that never comes would hold a stream's connection, which has no time
// limit. Nobody's is waited for who was not let in either.
func TestAStreamWaitsForNoBody(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(newDoor().listening(t, identity.Viewer))
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	for who, want := range map[string]int{"ada": 400, "nobody": 401} {
		for _, body := range []string{"Content-Length: 10", "Transfer-Encoding: chunked"} {
			t.Run(who+" "+body, func(t *testing.T) {
				t.Parallel()
				connection, err := net.Dial("tcp", strings.TrimPrefix(server.URL, "http://"))
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = connection.Close() }()
				if _, err := io.WriteString(connection, "GET /events HTTP/1.1\r\nHost: x\r\nX-Who: "+who+"\r\n"+body+"\r\n\r\n"); err != nil {
					t.Fatal(err)
				}
				if err := connection.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
					t.Fatal(err)
				}
				response, err := http.ReadResponse(bufio.NewReader(connection), nil)
				if err != nil {
					t.Fatalf("no answer: %v", err)
				}
				_ = response.Body.Close()
				if response.StatusCode != want || !response.Close {
					t.Errorf("%d, close %v", response.StatusCode, response.Close)
				}
			})
		}
	}
}

// one is a listener of one connection.
type one struct{ connections chan net.Conn }

func (l one) Accept() (net.Conn, error) {
	connection, open := <-l.connections
	if !open {
		return nil, net.ErrClosed
	}
	return connection, nil
}

func (l one) Close() error { close(l.connections); return nil }

func (l one) Addr() net.Addr { return &net.TCPAddr{} }

// The times that bound every other answer, of the server and of ours, do not
// cut a stream off.
func TestAStreamOutlivesTheTimesOfOthers(t *testing.T) {
	t.Parallel()
	base, err := ParseBase("http://ops.example.com")
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		h, err := NewHandler(Options{Base: base, Logger: slog.New(slog.DiscardHandler), Authenticate: newDoor().authenticate}, []Route{{
			Pattern: "GET /events",
			Role:    identity.Viewer, Stream: true, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				for _, word := range []string{"first", "last"} {
					_, _ = io.WriteString(w, word+"\n")
					_ = http.NewResponseController(w).Flush()
					select {
					case <-time.After(2 * answerWithin):
					case <-r.Context().Done():
						return
					}
				}
			}),
		}})
		if err != nil {
			t.Fatal(err)
		}
		server := &http.Server{Handler: h, ReadTimeout: readWithin, WriteTimeout: answerWithin}
		listener, ended := one{make(chan net.Conn, 1)}, make(chan error, 1)
		go func() { ended <- server.Serve(listener) }()
		client, connection := net.Pipe()
		listener.connections <- connection
		if _, err := io.WriteString(client, "GET /events HTTP/1.1\r\nHost: x\r\nX-Who: ada\r\nConnection: close\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		response, err := http.ReadResponse(bufio.NewReader(client), nil)
		if err != nil {
			t.Fatal(err)
		}
		if text, err := io.ReadAll(response.Body); err != nil || string(text) != "first\nlast\n" {
			t.Errorf("heard %q, %v", text, err)
		}
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		<-ended
	})
}

func TestWorkHasItsTimeAndStreamsHaveNone(t *testing.T) {
	t.Parallel()
	bounded := map[string]bool{}
	note := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		end, has := r.Context().Deadline()
		bounded[r.URL.Path] = has && time.Until(end) < answerWithin
	})
	h := site(
		t,
		"http://ops.example.com",
		io.Discard,
		Route{Pattern: "GET /page", Handler: note},
		Route{Pattern: "GET /v1/receipt", Kind: Wire, Handler: note},
		Route{
			Pattern: "GET /api/admin/v1/things",
			Kind:    API,
			Role:    identity.Viewer,
			Handler: note,
		},
		Route{Pattern: "GET /events", Stream: true, Handler: note},
	)
	for path, want := range map[string]bool{"/page": true, "/v1/receipt": true, "/api/admin/v1/things": true, "/events": false} {
		if ask(h, "GET", path, "X-Who: viewer"); bounded[path] != want {
			t.Errorf("%s: bounded %v", path, bounded[path])
		}
	}
}

// Browsers write an origin in lower case and without the scheme's own port,
// however the base URL was written.
func TestTheSiteItselfIsNoOtherSite(t *testing.T) {
	t.Parallel()
	for base, origin := range map[string]string{
		"https://Ops.Example.com:443": "https://ops.example.com", "http://ops.example.com:80/below": "http://ops.example.com",
		"https://ops.example.com:8443": "https://ops.example.com:8443",
	} {
		prefix := strings.TrimPrefix(base, "http://ops.example.com:80")
		if prefix == base {
			prefix = ""
		}
		h := site(t, base, io.Discard, Route{Pattern: "POST /act", Role: identity.Viewer, Handler: said("acted")})
		for from, want := range map[string]int{origin: 200, "http://evil.example": 403, "null": 403, origin + "1": 403} {
			r := httptest.NewRequestWithContext(t.Context(), "POST", "http://behind-a-proxy"+prefix+"/act", nil)
			r.Header.Set("Origin", from)
			r.Header.Set("X-Who", "viewer")
			w := httptest.NewRecorder()
			if h.ServeHTTP(w, r); w.Code != want {
				t.Errorf("%s from %s: %d", base, from, w.Code)
			}
		}
	}
}
