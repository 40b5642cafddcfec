package api_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/adminserver"
	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
	"github.com/sendpromptly/sendpromptly/internal/store/projects"
	"github.com/sendpromptly/sendpromptly/internal/store/rooms"
)

const apiRoot = "/api/admin/v1"

// deployment is a server on a database of its own, with a token for each role,
// and two projects with an open incident each.
type deployment struct {
	*enginetest.Database
	t      *testing.T
	st     *rooms.Rooms
	server *httptest.Server
	log    *bytes.Buffer
	tokens map[string]string
	// incidents are by the name of their project.
	incidents map[string]engine.Incident
	engines   map[string]*engine.Engine
}

func fine[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func deploy(t *testing.T) *deployment {
	t.Helper()
	return deployOn(t, enginetest.New(t))
}

// deployOn takes any migrated database.
func deployOn(t *testing.T, db *enginetest.Database) *deployment {
	t.Helper()
	d := &deployment{
		Database: db, t: t, st: fine[*rooms.Rooms](t)(rooms.Open(db.Pool, "")), log: &bytes.Buffer{}, tokens: map[string]string{},
		incidents: map[string]engine.Incident{}, engines: map[string]*engine.Engine{},
	}
	url := "https://shop.example/repair"
	for _, name := range []string{"default", "other"} {
		if name != "default" {
			_, _, err := d.st.Projects.Create(t.Context(), name, projects.Settings{}, nil, "ada")
			fine[int](t)(0, err)
		}
		fine[projects.Project](t)(d.st.Projects.Set(t.Context(), name, projects.Settings{RepairURL: &url}, nil, "ada"))
		d.engines[name] = fine[*engine.Engine](t)(engine.New(t.Context(), db.Pool, engine.Config{Project: name}))
		d.incidents[name] = d.incident(name, "evt_1")
	}
	for name, project := range map[string]string{"viewer": "", "operator": "", "admin": "", "other": "other"} {
		role := name
		if name == "other" {
			role = "admin"
		}
		_, secret, err := d.st.Access.Tokens.Create(t.Context(), role, name, project, time.Hour, "ada")
		d.tokens[name] = fine[string](t)(secret, err)
	}
	token, secret, err := d.st.Access.Tokens.Create(t.Context(), "admin", "revoked", "", time.Hour, "ada")
	d.tokens["revoked"] = fine[string](t)(secret, err)
	fine[int](t)(0, d.st.Access.Tokens.Revoke(t.Context(), token.ID, "ada"))
	d.tokens["wrong"] = "spt_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	d.serve()
	return d
}

// serve starts the server; its tokens work at once.
func (d *deployment) serve() {
	d.t.Helper()
	server := httptest.NewUnstartedServer(nil)
	s, err := adminserver.New(d.t.Context(), adminserver.Config{
		Pool: d.Pool, BaseURL: "http://" + server.Listener.Addr().String(),
		AllowNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Logger: slog.New(slog.NewTextHandler(d.log, nil)),
	})
	if err != nil {
		d.t.Fatal(err)
	}
	server.Config.Handler = s
	server.Start()
	d.t.Cleanup(server.Close)
	d.server = server
}

// incident makes an open incident of a failure.
func (d *deployment) incident(project, event string) engine.Incident {
	d.t.Helper()
	key := engine.Key{Provider: "stripe", EventID: event, Effect: "credit_grant"}
	e := d.engines[project]
	fine[int](d.t)(0, pgx.BeginFunc(d.t.Context(), d.Pool, func(tx pgx.Tx) error {
		_, err := e.Accept(d.t.Context(), tx, engine.Acceptance{Key: key, Subject: "acct_" + project, Customer: "cus_1"})
		return err
	}))
	fine[int](d.t)(0, e.Fail(d.t.Context(), key, errors.New("boom")))
	return fine[engine.Incident](d.t)(enginetest.IncidentOf(d.t.Context(), e, key))
}

// call is one request.
type call struct {
	method, path string
	token        string // a name of tokens; empty sends none
	body         string
	header       http.Header
}

type answer struct {
	status int
	header http.Header
	body   []byte
}

func (d *deployment) do(c call) answer {
	d.t.Helper()
	request := fine[*http.Request](
		d.t,
	)(
		http.NewRequestWithContext(d.t.Context(), c.method, d.server.URL+apiRoot+c.path, bytes.NewReader([]byte(c.body))),
	)
	if c.body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		request.Header.Set("Authorization", "Bearer "+d.tokens[c.token])
	}
	for name, values := range c.header {
		request.Header[name] = values
	}
	response := fine[*http.Response](d.t)(http.DefaultClient.Do(request))
	defer func() { _ = response.Body.Close() }()
	return answer{response.StatusCode, response.Header, fine[[]byte](d.t)(io.ReadAll(response.Body))}
}

// requireProblem holds an answer that says no against its promises.
func (d *deployment) requireProblem(what string, a answer, status ...int) {
	d.t.Helper()
	found := false
	for _, s := range status {
		found = found || a.status == s
	}
	if !found {
		d.t.Errorf("%s: status %d, want %v: %s", what, a.status, status, a.body)
		return
	}
	var p struct {
		Status int
		Title  string
		Errors []any
	}
	if err := json.Unmarshal(a.body, &p); err != nil || p.Status != a.status || p.Title == "" || len(p.Errors) > 10 {
		d.t.Errorf("%s: not a problem: %v: %s", what, err, a.body)
	}
	if kind := a.header.Get("Content-Type"); kind != "application/problem+json" {
		d.t.Errorf("%s: a problem of type %q", what, kind)
	}
	if len(a.body) > 4<<10 {
		d.t.Errorf("%s: %d bytes", what, len(a.body))
	}
}

// get reads an answer of a success.
func get[T any](d *deployment, c call) (T, answer) {
	d.t.Helper()
	var v T
	a := d.do(c)
	if a.status < 200 || a.status > 299 {
		d.t.Fatalf("%s %s: %d: %s", c.method, c.path, a.status, a.body)
	}
	if a.status != http.StatusNoContent {
		if err := json.Unmarshal(a.body, &v); err != nil {
			d.t.Fatalf("%s %s: %v: %s", c.method, c.path, err, a.body)
		}
	}
	return v, a
}

// fingerprint is everything that an unauthorised request could change.
func (d *deployment) fingerprint() string {
	d.t.Helper()
	var sum string
	const all = `SELECT md5(string_agg(t.line, E'\n' ORDER BY t.line)) FROM (
		SELECT i::text AS line FROM sendpromptly.incidents AS i UNION ALL SELECT n::text FROM sendpromptly.entries AS n
		UNION ALL SELECT p::text FROM sendpromptly.projects AS p UNION ALL SELECT k::text FROM sendpromptly.api_keys AS k
		UNION ALL SELECT s::text FROM sendpromptly.callback_secrets AS s UNION ALL SELECT o.email || o.role
		FROM sendpromptly.operators AS o
		UNION ALL SELECT p::text FROM sendpromptly.plans AS p UNION ALL SELECT v::text FROM sendpromptly.saved_views AS v
		UNION ALL SELECT a::text FROM sendpromptly.audit AS a UNION ALL
		SELECT p.jti::text || coalesce(p.revoked_at::text, '') FROM sendpromptly.proofs AS p
		UNION ALL SELECT o.token_id::text || coalesce(o.revoked_at::text, '') FROM sendpromptly.tokens AS o) AS t`
	if err := d.Pool.QueryRow(d.t.Context(), all).Scan(&sum); err != nil {
		d.t.Fatal(err)
	}
	return sum
}
