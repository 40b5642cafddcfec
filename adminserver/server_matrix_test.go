package adminserver_test

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/adminserver/internal/identity"
	"github.com/sendpromptly/sendpromptly/adminserver/internal/web"
	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
	"github.com/sendpromptly/sendpromptly/internal/store/projects"
)

// open are the routes that ask for no role, each for a reason. A new one has to
// be entered here.
var open = []string{
	"GET /healthz",
	"GET /readyz",  // probes
	"GET /metrics", // asks itself: open to this machine only
	"GET /login",
	"POST /login",
	"GET /login/{token}",
	"POST /login/{token}",
	"POST /logout",       // the door
	"GET /assets/{name}", // stylesheet and script
	"POST /api/v1/receipt",
	"POST /api/v1/result",
	"POST /v1/receipt",
	"POST /v1/result", // the ingest API asks for its key
	"GET /p/{token}",
	"GET /p/{token}/{part}",
	"GET /p/{token...}",
	"GET /p/assets/{file}",
	"GET /.well-known/jwks.json", // proofs are for strangers
	"GET /api/admin/v1/openapi.json",
	"GET /api/admin/v1/reference",
	"GET /api/admin/v1/reference/", // how to ask
}

// secret is in the other project's incident and must reach nobody.
const secret = "acct_of_somebody_else"

// matrix is a site with an incident and everybody who may not see it.
type matrix struct {
	*site
	incident engine.Incident
	values   map[string]string
}

func newMatrix(t *testing.T) *matrix {
	t.Helper()
	m := &matrix{site: newSite(t, nil)}
	for _, project := range []string{"theirs", "mine"} {
		if _, _, err := m.store.Projects.Create(t.Context(), project, projects.Settings{}, nil, "test"); err != nil {
			t.Fatal(err)
		}
	}
	e := m.db.Engine(engine.Config{Project: "theirs"})
	key := engine.Key{Provider: "stripe", EventID: "evt_1", Effect: "credit_grant"}
	err := pgx.BeginFunc(t.Context(), m.db.Pool, func(tx pgx.Tx) error {
		_, err := e.Accept(t.Context(), tx, engine.Acceptance{Key: key, Subject: secret, Customer: secret})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	m.db.Travel(time.Hour)
	if _, err := enginetest.Sweep(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	if m.incident, err = enginetest.IncidentOf(t.Context(), e, key); err != nil {
		t.Fatal(err)
	}
	apiKey, _, err := m.store.Access.Keys.Create(t.Context(), "theirs", "worker", "test")
	if err != nil {
		t.Fatal(err)
	}
	m.values = map[string]string{
		"id": string(m.incident.ID), "incident": string(m.incident.ID), "effect": string(m.incident.EffectID),
		"name": "theirs", "project": "theirs", "key": apiKey.ID, "email": "ada@example.com", "token": strings.Repeat("A", 40),
	}
	return m
}

var placeholder = regexp.MustCompile(`\{(\w+)(\.\.\.)?\}`)

// fill makes a path of a pattern.
func (m *matrix) fill(pattern string) (method, path string) {
	method, path, _ = strings.Cut(pattern, " ")
	path = strings.ReplaceAll(path, "{$}", "")
	return method, placeholder.ReplaceAllStringFunc(path, func(p string) string {
		if value, known := m.values[placeholder.FindStringSubmatch(p)[1]]; known {
			return value
		}
		return string(m.incident.ID)
	})
}

// state is what nobody of these may change.
func (m *matrix) state() string {
	m.t.Helper()
	const everything = `SELECT concat_ws(' ', (SELECT count(*) FROM sendpromptly.audit), (SELECT count(*) FROM sendpromptly.changes),
		(SELECT count(*) FROM sendpromptly.entries), (SELECT count(*) FROM sendpromptly.plans), (SELECT count(*)
		FROM sendpromptly.saved_views),
		(SELECT string_agg(o::text, ',' ORDER BY o.email) FROM sendpromptly.operators AS o), (SELECT count(*)
		FROM sendpromptly.tokens WHERE revoked_at IS NULL),
		(SELECT count(*) FROM sendpromptly.api_keys WHERE revoked_at IS NULL),
		(SELECT string_agg(p::text, ',' ORDER BY p.name) FROM sendpromptly.projects AS p),
		(SELECT count(*) FROM sendpromptly.callback_secrets), (SELECT string_agg(i::text, ',') FROM sendpromptly.incidents AS i))`
	var state string
	if err := m.db.Pool.QueryRow(m.t.Context(), everything).Scan(&state); err != nil {
		m.t.Fatal(err)
	}
	return state
}

// What an old session must not do is found by its name, so that a new route is not forgotten either.
func TestKeysSecretsAndOperatorsAskForARecentLogin(t *testing.T) {
	t.Parallel()
	for _, route := range newSite(t, nil).server.Table() {
		writes := !strings.HasPrefix(route.Pattern, "GET ")
		if about := regexp.MustCompile(`/(keys|secret|operators|tokens|members|repair-url)\b`).
			FindString(route.Pattern); about != "" && writes && route.Role > 0 &&
			!route.Recent {
			t.Errorf("%s asks for no recent login", route.Pattern)
		}
	}
}

func TestNoRouteLetsAnybodyInWhomItIsNotFor(t *testing.T) {
	t.Parallel()
	m := newMatrix(t)
	long := m.invited("long-here@example.com", "admin")
	m.db.Travel(16 * time.Minute)
	admin := m.invited("admin@example.com", "admin")
	removed := m.invited("gone@example.com", "admin")
	if err := m.store.Access.Operators.Remove(t.Context(), "gone@example.com", "test"); err != nil {
		t.Fatal(err)
	}
	revoked, revokedSecret, err := m.store.Access.Tokens.Create(t.Context(), "admin", "revoked", "", 0, "test")
	if err != nil {
		t.Fatal(err)
	}
	if err := m.store.Access.Tokens.Revoke(t.Context(), revoked.ID, "test"); err != nil {
		t.Fatal(err)
	}
	strangers := map[string][]string{
		"no credential": nil,
		"a wrong token": {"Authorization: Bearer spt_" + strings.Repeat("A", 40)},
		"a wrong session": {
			"Cookie: sendpromptly=" + strings.Repeat("A", 43),
		},
		"a revoked token": {"Authorization: Bearer " + revokedSecret},
		"a removed operator": {
			"Cookie: sendpromptly=" + removed.session().Value,
		},
		"an API key": {"Authorization: Bearer sk_" + strings.Repeat("A", 40)},
	}
	viewer := []string{"Authorization: Bearer " + m.token("viewer", "")}
	other := []string{"Authorization: Bearer " + m.token("admin", "mine")}
	before := m.state()
	for _, route := range m.server.Table() {
		method, path := m.fill(route.Pattern)
		t.Run(strings.ReplaceAll(strings.TrimPrefix(route.Pattern, "/"), "/", "_"), func(t *testing.T) {
			if route.Role == 0 {
				if !slices.Contains(open, route.Pattern) && !strings.HasPrefix(route.Pattern, "GET /login/oidc") {
					t.Error("asks for no role: enter it in this test with its reason, or give it one")
				}
				m.requireNoCrossSite(t, admin, route, method, path)
				return
			}
			for who, headers := range strangers {
				a := m.browser().do(method, path, form(method), headers...)
				if toLogin := method == "GET" && route.Kind == web.Page && a.StatusCode == 303 &&
					strings.HasPrefix(a.Header.Get("Location"), "/login?"); a.StatusCode != 401 && !toLogin {
					t.Errorf("%s: %d", who, a.StatusCode)
				}
				m.requireSmallAndSilent(t, who, a)
			}
			if route.Recent {
				if a := long.do(
					method,
					path,
					form(method),
				); a.StatusCode != 403 &&
					(method != "GET" || !strings.HasPrefix(a.Header.Get("Location"), "/login?")) {
					t.Errorf("an admin who logged in 16 minutes ago: %d", a.StatusCode)
				}
			}
			if route.Role > identity.Viewer {
				if a := m.browser().do(method, path, form(method), viewer...); a.StatusCode != 403 {
					t.Errorf("a viewer: %d", a.StatusCode)
				}
			}
			if !route.Stream {
				a := m.browser().do(method, path, form(method), other...)
				if m.names(route.Pattern) && (a.StatusCode < 300 || a.StatusCode >= 500) {
					t.Errorf("an admin of another project: %d", a.StatusCode)
				}
				if strings.Contains(a.text, secret) ||
					strings.Contains(a.text, string(m.incident.ID)) && method == "GET" && a.StatusCode == 200 {
					t.Error("an admin of another project reads it")
				}
			}
			m.requireNoCrossSite(t, admin, route, method, path)
		})
	}
	if after := m.state(); after != before {
		t.Errorf("something changed:\n%s\n%s", before, after)
	}
}

// names says whether a pattern names something of a project.
func (m *matrix) names(pattern string) bool {
	return strings.Contains(pattern, "{id}") || strings.Contains(pattern, "{incident}") || strings.Contains(pattern, "/projects/{")
}

// form is what a form of the console might hold.
func form(method string) url.Values {
	if method == http.MethodGet {
		return nil
	}
	return url.Values{
		"note":     {"x"},
		"label":    {"x"},
		"email":    {"eve@example.com"},
		"role":     {"admin"},
		"name":     {"x"},
		"revision": {"1"},
		"project":  {"theirs"},
		"confirm":  {"yes"},
	}
}

func (m *matrix) requireNoCrossSite(t *testing.T, admin *browser, route web.Route, method, path string) {
	t.Helper()
	if method == http.MethodGet || route.Kind == web.Wire {
		return
	}
	for _, header := range []string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-site", "Origin: https://evil.example"} {
		if a := admin.do(method, path, form(method), header); a.StatusCode != 403 {
			t.Errorf("%s: %d", header, a.StatusCode)
		}
	}
}

func (m *matrix) requireSmallAndSilent(t *testing.T, who string, a answer) {
	t.Helper()
	if len(a.text) > 4096 || strings.Contains(a.text, secret) {
		t.Errorf("%s: %d bytes: %s", who, len(a.text), a.text[:min(len(a.text), 200)])
	}
}
