package ingest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/sendpromptly/sendpromptly/adminserver"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
	"github.com/sendpromptly/sendpromptly/internal/store/projects"
	"github.com/sendpromptly/sendpromptly/internal/store/rooms"
)

const secretKey = "dGVzdCBzZWNyZXQga2V5IG9mIDMyIGJ5dGVzIGxvbmc="

// server is the admin server's ingest part over real HTTP, on a database of its
// own, with the projects default, other (live), paused (suspended) and keep
// (with snapshots), and a key for each.
type server struct {
	t    testing.TB
	db   *enginetest.Database
	url  string
	keys map[string]string
	log  lines
}

// lines is a log that the handler's goroutines write while the test reads.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

// count is how many lines hold a text.
func (l *lines) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), text)
}

func start(t testing.TB, limits adminserver.IngestLimits) *server {
	t.Helper()
	s := &server{t: t, db: enginetest.New(t), keys: map[string]string{}}
	st, err := rooms.Open(s.db.Pool, secretKey)
	if err != nil {
		t.Fatal(err)
	}
	yes, live := true, "live"
	for name, settings := range map[string]projects.Settings{
		"default": {}, "other": {Mode: &live}, "paused": {Suspended: &yes}, "keep": {Snapshots: &yes},
	} {
		if name != "default" {
			if _, _, err := st.Projects.Create(t.Context(), name, settings, nil, "ada"); err != nil {
				t.Fatal(err)
			}
		}
		if _, s.keys[name], err = st.Access.Keys.Create(t.Context(), name, "test", "ada"); err != nil {
			t.Fatal(err)
		}
	}
	handler, err := adminserver.New(t.Context(), adminserver.Config{
		Pool: s.db.Pool, BaseURL: "http://127.0.0.1", Only: []adminserver.Part{adminserver.PartIngest},
		SecretKey: secretKey, Logger: slog.New(slog.NewTextHandler(io.MultiWriter(t.Output(), &s.log), nil)), IngestLimits: limits,
	})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(handler)
	t.Cleanup(web.Close)
	s.url = web.URL
	return s
}

// as makes the header of a project's key.
func (s *server) as(project string) map[string]string {
	return map[string]string{"Authorization": "Bearer " + s.keys[project]}
}

// request is what a correct client would send, and what a test makes wrong.
type request struct {
	path   string
	body   string
	header map[string]string // "" takes a header away
}

// answer is what came back.
type answer struct {
	status int
	body   string
	header http.Header
}

var keys = make(chan string)

func init() {
	go func() {
		for n := 0; ; n++ {
			keys <- fmt.Sprintf("key-%d", n)
		}
	}()
}

// send sends a request with all the required headers, each with a fresh
// Idempotency-Key unless the test says otherwise.
func (s *server) send(q request) answer {
	s.t.Helper()
	a, err := s.try(q)
	if err != nil {
		s.t.Fatal(err)
	}
	return a
}

func (s *server) try(q request) (answer, error) {
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.url+q.path, strings.NewReader(q.body))
	if err != nil {
		return answer{}, err
	}
	header := map[string]string{
		"Authorization":   "Bearer " + s.keys["default"],
		"Idempotency-Key": <-keys,
		"Content-Type":    "application/json",
		"Accept":          "application/json",
	}
	maps.Copy(header, q.header)
	for name, value := range header {
		if value != "" {
			r.Header.Set(name, value)
		}
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	return answer{response.StatusCode, string(body), response.Header}, err
}

// code is the error code of an answer, "" where it is none.
func (a answer) code() string { return a.problem().Error.Code }

type problem struct {
	Error struct {
		Code    string              `json:"code"`
		Message string              `json:"message"`
		Details map[string][]string `json:"details"`
	} `json:"error"`
}

func (a answer) problem() problem {
	var p problem
	_ = json.Unmarshal([]byte(a.body), &p) // no error is the empty one
	return p
}

// fields are the names in the details, sorted.
func (a answer) fields() string {
	return strings.Join(slices.Sorted(maps.Keys(a.problem().Error.Details)), " ")
}

// receipt is a correct body with members changed; nil takes one away.
func receipt(change map[string]any) string {
	return body(map[string]any{
		"provider": "stripe", "provider_event_id": "evt_1", "event_type": "invoice.paid", "effect_type": "credit_grant",
		"internal_reference": "acct_1", "occurred_at": "2026-03-01T12:00:00Z",
	}, change)
}

func result(change map[string]any) string {
	return body(map[string]any{"provider_event_id": "evt_1", "status": "success"}, change)
}

func body(members, change map[string]any) string {
	for name, value := range change {
		if value == nil {
			delete(members, name)
		} else {
			members[name] = value
		}
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(members); err != nil {
		panic(err)
	}
	return b.String()
}

// count counts rows.
func (s *server) count(sql string, args ...any) int {
	s.t.Helper()
	var n int
	if err := s.db.Pool.QueryRow(s.t.Context(), sql, args...).Scan(&n); err != nil {
		s.t.Fatal(err)
	}
	return n
}
