package ingest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/sendpromptly/sendpromptly/adminserver/internal/engines"
	"github.com/sendpromptly/sendpromptly/adminserver/internal/ingest"
	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
	"github.com/sendpromptly/sendpromptly/engine/store"
)

const secretKey = "dGVzdCBzZWNyZXQga2V5IG9mIDMyIGJ5dGVzIGxvbmc="

// The keys of the projects that tests use.
var (
	ourKey    = "sk_" + strings.Repeat("a", 40)
	otherKey  = "sk_" + strings.Repeat("b", 40)
	pausedKey = "sk_" + strings.Repeat("c", 40)
	keepKey   = "sk_" + strings.Repeat("d", 40)
)

// server is the API over real HTTP, on a database of its own, with the projects
// default, other, paused (suspended) and keep (with snapshots).
type server struct {
	t   testing.TB
	db  *enginetest.Database
	url string
}

func start(t testing.TB, limits ingest.Limits) *server {
	t.Helper()
	db := enginetest.New(t)
	st, err := store.New(db.Pool, secretKey)
	if err != nil {
		t.Fatal(err)
	}
	yes, live := true, "live"
	for name, settings := range map[string]store.ProjectSettings{"other": {Mode: &live}, "paused": {Suspended: &yes}, "keep": {Snapshots: &yes}} {
		if _, _, err := st.CreateProject(t.Context(), name, settings, nil, "ada"); err != nil {
			t.Fatal(err)
		}
	}
	owners := map[string]ingest.Caller{ourKey: {Project: "default"}, otherKey: {Project: "other"},
		pausedKey: {Project: "paused", Suspended: true}, keepKey: {Project: "keep", Snapshots: true}}
	all := engines.New(db.Pool, engine.Config{SecretKey: secretKey})
	api := ingest.New(ingest.Config{Store: st, Engine: all.For, Logger: slog.New(slog.NewTextHandler(t.Output(), nil)), Limits: limits,
		KeyOwner: func(_ context.Context, key string) (ingest.Caller, error) {
			if owner, known := owners[key]; known {
				return owner, nil
			}
			return ingest.Caller{}, store.ErrNotFound
		}})
	mux := http.NewServeMux()
	for _, path := range []string{"/api/v1/", "/v1/"} {
		mux.Handle("POST "+path+"receipt", api.Receipt())
		mux.Handle("POST "+path+"result", api.Result())
	}
	web := httptest.NewServer(mux)
	t.Cleanup(web.Close)
	return &server{t: t, db: db, url: web.URL}
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
	header := map[string]string{"Authorization": "Bearer " + ourKey, "Idempotency-Key": <-keys, "Content-Type": "application/json", "Accept": "application/json"}
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
	return body(map[string]any{"provider": "stripe", "provider_event_id": "evt_1", "event_type": "invoice.paid", "effect_type": "credit_grant",
		"internal_reference": "acct_1", "occurred_at": "2026-03-01T12:00:00Z"}, change)
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
