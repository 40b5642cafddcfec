package console_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/sendpromptly/sendpromptly/adminserver/internal/console"
	"github.com/sendpromptly/sendpromptly/adminserver/internal/web"
	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
	"github.com/sendpromptly/sendpromptly/proofs"
)

// changes counts everything that a form could have changed.
func (s *site) changes() (n int) {
	s.t.Helper()
	const all = `SELECT (SELECT count(*) FROM sendpromptly.changes) + (SELECT count(*) FROM sendpromptly.audit)
		+ (SELECT count(*) FROM sendpromptly.entries)
		+ (SELECT count(*) FROM sendpromptly.plans) + (SELECT count(*) FROM sendpromptly.saved_views) + (SELECT count(*)
		FROM sendpromptly.projects)`
	if err := s.db.Pool.QueryRow(s.t.Context(), all).Scan(&n); err != nil {
		s.t.Fatal(err)
	}
	return n
}

// Every route of the table, so that a new one cannot be forgotten.
func TestNobodyGetsPastTheTableOfRoutes(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	incident := s.fail("billing", invoice("evt_1", "acct_1"), "boom")
	fill := strings.NewReplacer("{id}", string(incident.ID), "{name}", "billing", "{jti}", string(incident.ID), "{$}", "")
	form := url.Values{
		"project": {
			"billing",
		},
		"revision": {"1"},
		"note":     {"n"},
		"name":     {"n"},
		"label":    {"n"},
		"email":    {"a@example.com"},
		"role":     {"admin"},
		"days": {
			"1",
		},
		"action":              {"close"},
		"timeout":             {"1"},
		"alert_after_failed":  {"1"},
		"alert_after_missing": {"1"},
		"retention_days":      {"0"},
		"channel":             {"email"},
		"target":              {"a@example.com"},
		"overlap_hours":       {"1"},
	}
	before := s.changes()
	for _, route := range console.Routes(web.Deps{}, nil) {
		method, pattern, _ := strings.Cut(route.Pattern, " ")
		path := fill.Replace(pattern)
		if strings.HasPrefix(path, "/assets/") {
			continue
		}
		if route.Role == 0 {
			t.Errorf("%s lets everybody in", route.Pattern)
		}
		if got := s.do("", method, path, form); got.status != http.StatusUnauthorized {
			t.Errorf("%s without a login: %d", route.Pattern, got.status)
		}
		if method == http.MethodGet {
			continue
		}
		if got := s.do(viewer, method, path, form); got.status != http.StatusForbidden {
			t.Errorf("%s by a viewer: %d", route.Pattern, got.status)
		}
		if got := s.do(shopOnly, method, path, form); got.status != http.StatusNotFound {
			t.Errorf("%s by who sees another project: %d", route.Pattern, got.status)
		}
		if got := s.do(
			admin,
			method,
			path,
			form,
			"Sec-Fetch-Site",
			"cross-site",
			"Origin",
			"https://elsewhere.example",
		); got.status != http.StatusForbidden {
			t.Errorf("%s from another site: %d", route.Pattern, got.status)
		}
		if route.Recent {
			if got := s.do(stale, method, path, form); got.status != http.StatusForbidden {
				t.Errorf("%s after an old login: %d", route.Pattern, got.status)
			}
		} else if regexp.MustCompile(`/(keys|secret|repair-url|operators|tokens|alerts)\b`).MatchString(pattern) {
			t.Errorf("%s needs no recent login", route.Pattern)
		}
	}
	if after := s.changes(); after != before {
		t.Errorf("%d things changed", after-before)
	}
}

func TestAReprocessIsAskedForAndResolves(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	incident := s.fail("billing", invoice("evt_1", "acct_1"), "card network timeout")
	path := "/incidents/" + string(incident.ID)
	s.has(
		s.get(operator, path),
		"49.00\u00a0EUR",
		"Their credits have not been added.",
		"card network timeout",
		"Reprocess asks the app",
	)
	to := s.post(operator, path+"/reprocess", url.Values{"revision": {fmt.Sprint(incident.Revision)}, "state": {"failed"}})
	s.has(s.get(operator, to), "Sending the callback now.", "A repair is in progress.", "Stop the attempt")
	if _, err := enginetest.Deliver(t.Context(), s.engines["billing"]); err != nil {
		t.Fatal(err)
	}
	s.db.RequireSound()
	s.has(
		s.get(viewer, path),
		"Their credits have been added.",
		"olga@example.com",
		"Answered <strong>200</strong>",
		"Nothing to do",
	)
	s.has(s.get(viewer, "/effects?q=in_evt_1"), "Yes, it arrived.")
}

func TestAConflictShowsWhatChangedAndLosesNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	incident := s.fail("billing", invoice("evt_1", "acct_1"), "boom")
	path := "/incidents/" + string(incident.ID)
	seen := url.Values{"revision": {fmt.Sprint(incident.Revision)}, "state": {"failed"}, "note": {"refunded by hand, ticket 4711"}}
	s.post(operator, path+"/close", url.Values{"revision": seen["revision"], "state": {"failed"}, "note": {"first"}})
	got := s.do(admin, http.MethodPost, path+"/close", seen)
	if got.status != http.StatusConflict {
		t.Fatalf("closing what was closed meanwhile: %d", got.status)
	}
	s.has(
		got.body, "the incident was failed when you loaded the page and is closed now",
		"refunded by hand, ticket 4711</textarea>", "first",
	)
	empty := s.do(admin, http.MethodPost, path+"/note", url.Values{"revision": {fmt.Sprint(incident.Revision + 1)}, "note": {""}})
	if empty.status != http.StatusUnprocessableEntity {
		t.Errorf("an empty note: %d", empty.status)
	}
	if got := s.do(admin, http.MethodPost, path+"/note", url.Values{"note": {"x"}}); got.status != http.StatusUnprocessableEntity {
		t.Errorf("a form without a revision: %d", got.status)
	}
}

func TestAClosedIncidentIsReopenedWithANote(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	incident := s.fail("billing", invoice("evt_1", "acct_1"), "boom")
	path := "/incidents/" + string(incident.ID)
	if page := s.get(operator, path); strings.Contains(page, path+"/reopen") {
		t.Error("an open incident can be reopened")
	}
	s.post(operator, path+"/close", url.Values{"revision": {"1"}, "state": {"failed"}, "note": {"refunded"}})
	s.has(s.get(operator, path), path+"/reopen", "Why do you reopen it?")
	seen := url.Values{"revision": {"2"}, "state": {"closed"}, "note": {" "}}
	if got := s.do(operator, http.MethodPost, path+"/reopen", seen); got.status != http.StatusUnprocessableEntity {
		t.Errorf("without a note: %d", got.status)
	}
	seen.Set("note", "the refund bounced")
	s.has(
		s.get(operator, s.post(operator, path+"/reopen", seen)),
		"Incident reopened. Alerts are sent as for a new incident.",
		"Incident reopened",
		"the refund bounced",
	)
	got := s.do(admin, http.MethodPost, path+"/reopen", seen)
	if got.status != http.StatusConflict {
		t.Errorf("reopening what was reopened since: %d", got.status)
	}
	s.has(got.body, "the incident was closed when you loaded the page and is failed now", "the refund bounced</textarea>")
	s.db.RequireSound()
}

func TestAPlanActsOnTheFrozenSetOnceItsCountIsGivenBack(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for i := range 3 {
		s.fail("billing", invoice(fmt.Sprintf("evt_%d", i), "acct_1"), "boom")
	}
	s.fail("billing", invoice("evt_other", "acct_2"), "boom")
	s.has(s.get(operator, "/incidents?project=billing&q=acct_1"), "Act on all 3 that match")
	if got := s.do(
		operator,
		http.MethodPost,
		"/plans",
		url.Values{"project": {"billing"}, "action": {"close"}, "show": {"all"}, "note": {"n"}},
	); got.status != http.StatusUnprocessableEntity {
		t.Errorf("a plan over everything: %d", got.status)
	}
	to := s.post(operator, "/plans", url.Values{"project": {"billing"}, "action": {"reprocess"}, "show": {"open"}, "q": {"acct_1"}})
	plan, _, _ := strings.Cut(to, "?")
	s.fail("billing", invoice("evt_late", "acct_1"), "boom")
	s.has(s.get(operator, to), "Reprocess 3 incidents", "Type 3 to start")
	if got := s.do(
		operator,
		http.MethodPost,
		plan+"/start",
		url.Values{"project": {"billing"}, "count": {"4"}},
	); got.status < 400 ||
		!strings.Contains(got.body, `value="4"`) {
		t.Errorf("another count: %d", got.status)
	}
	s.post(operator, plan+"/start", url.Values{"project": {"billing"}, "count": {"3"}})
	if _, err := s.store.Incidents.Plans.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := enginetest.Deliver(t.Context(), s.engines["billing"]); err != nil {
		t.Fatal(err)
	}
	s.has(s.get(viewer, to), "3 of 3 have a result", `<span class="state applied">applied</span>`)
	page, err := s.engines["billing"].Incidents(t.Context(), engine.IncidentFilter{Open: true})
	if err != nil || len(page.Incidents) != 2 {
		t.Errorf("%d incidents are open, want the late one and the other one: %v", len(page.Incidents), err)
	}
}

func TestSecretsAreShownOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	secret := regexp.MustCompile(`sk_[A-Za-z0-9]{40}|spt_[A-Za-z0-9]{40}|whsec_[A-Za-z0-9+/=]{44}|/login/[\w-]{20,}`)
	for path, form := range map[string]url.Values{
		"/projects":                {"name": {"third"}},
		"/projects/billing/keys":   {"label": {"worker-1"}},
		"/projects/billing/secret": {"overlap_hours": {"1"}},
		"/operators":               {"email": {"new@example.com"}, "role": {"operator"}},
		"/tokens":                  {"label": {"ci"}, "role": {"viewer"}, "days": {"30"}},
	} {
		got := s.do(admin, http.MethodPost, path, form)
		shown := secret.FindString(strings.ReplaceAll(got.body, "&#43;", "+"))
		if got.status != http.StatusOK || shown == "" || got.header.Get("Cache-Control") != "no-store" {
			t.Errorf("POST %s: %d, shown %v, %s", path, got.status, shown != "", got.header.Get("Cache-Control"))
		}
		for _, page := range []string{"/projects", "/projects/billing", "/operators", "/audit"} {
			if shown != "" && strings.Contains(s.get(admin, page), shown) {
				t.Errorf("GET %s shows the secret of %s again", page, path)
			}
		}
	}
	s.has(s.get(admin, "/audit"), "key.create", "operator.invite", "worker-1")
}

func TestAlertsAreTurnedOnAndOff(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	const path = "/projects/billing/alerts"
	s.has(
		s.get(admin, s.post(admin, path, url.Values{"channel": {"email"}, "target": {"oncall@example.com"}})),
		"oncall@example.com",
		"Alert destination saved.",
	)
	s.post(admin, path, url.Values{"channel": {"slack"}, "target": {"http://127.0.0.1:1/services/T0/B0/secret"}})
	got := s.do(admin, http.MethodPost, path, url.Values{"channel": {"webhook"}, "target": {"http://127.0.0.1:1/hook"}})
	s.has(got.body, "whsec_", "shown only once")
	page := s.get(admin, "/projects/billing")
	if strings.Contains(page, "T0/B0") || strings.Contains(page, "whsec_") {
		t.Error("a secret of an alert's destination is shown")
	}
	page = s.get(admin, s.post(admin, path, url.Values{"channel": {"email"}, "target": {""}}))
	if s.has(page, "Alert destination removed."); strings.Contains(page, "oncall@example.com") {
		t.Error("email is still on")
	}
	for _, form := range []url.Values{
		{"channel": {"email"}, "target": {"nobody"}},
		{"channel": {"slack"}, "target": {"ftp://x"}},
		{"channel": {"pager"}, "target": {"x"}},
	} {
		if got := s.do(admin, http.MethodPost, path, form); got.status != http.StatusUnprocessableEntity {
			t.Errorf("%v: %d", form, got.status)
		}
	}
}

func TestATestOfAlertsSaysWhatCameOfEach(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	const path = "/projects/billing/alerts"
	if got := s.do(admin, http.MethodPost, path+"/test", nil); got.status != http.StatusUnprocessableEntity {
		t.Errorf("a test without a destination: %d", got.status)
	}
	var heard atomic.Int64
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Webhook-Signature") != "" {
			heard.Add(1)
		}
	}))
	t.Cleanup(hook.Close)
	s.do(admin, http.MethodPost, path, url.Values{"channel": {"webhook"}, "target": {hook.URL + "/T0B0"}})
	s.do(admin, http.MethodPost, path, url.Values{"channel": {"email"}, "target": {"oncall@example.com"}})
	s.has(s.get(admin, "/projects/billing"), "Send a test")
	got := s.do(admin, http.MethodPost, path+"/test", nil)
	s.has(got.body, ">delivered</span> <bdi>webhook</bdi>", ">not delivered</span> <bdi>email</bdi>", "has no mail server")
	if got.status != http.StatusOK || heard.Load() != 1 || strings.Contains(got.body, "T0B0") {
		t.Errorf("%d, the webhook heard %d tests\n%s", got.status, heard.Load(), got.body)
	}
}

func TestSharingAProofWithoutAKeySaysSo(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	incident := s.fail("billing", invoice("evt_1", "acct_1"), "boom")
	got := s.do(
		operator,
		http.MethodPost,
		"/incidents/"+string(incident.ID)+"/proof",
		url.Values{"days": {"7"}, "audience": {"ticket 4711"}},
	)
	if got.status != http.StatusUnprocessableEntity {
		t.Errorf("%d", got.status)
	}
	s.has(got.body, "no key to sign with", `value="ticket 4711"`)
}

func TestAProofLinkIsSharedShownOnceAndEnded(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	if _, err := proofs.Folder(s.keys).New(); err != nil {
		t.Fatal(err)
	}
	s.restart()
	incident := s.fail("billing", invoice("evt_1", "acct_1"), "boom")
	path := "/incidents/" + string(incident.ID)
	got := s.do(operator, http.MethodPost, path+"/proof", url.Values{"days": {"7"}, "audience": {"ticket 4711"}})
	link := regexp.MustCompile(`http://[^<]*/p/[\w.-]+`).FindString(got.body)
	if got.status != http.StatusOK || link == "" {
		t.Fatalf("%d\n%s", got.status, got.body)
	}
	s.has(got.body, `aria-label="The link as a QR code"`)
	page := s.get(operator, path)
	if s.has(page, "ticket 4711", "Proof link issued"); strings.Contains(page, link) {
		t.Error("the link is shown again")
	}
	open := func() int { return s.do("", http.MethodGet, strings.TrimPrefix(link, s.url), nil).status }
	if status := open(); status != http.StatusOK {
		t.Errorf("the link is answered %d", status)
	}
	revoke := regexp.MustCompile(path + `/proofs/[^/"]+/revoke`).FindString(page)
	s.has(s.get(operator, s.post(operator, revoke, url.Values{})), "Proof link revoked. It no longer opens.", "revoked")
	if status := open(); status != http.StatusNotFound {
		t.Errorf("the dead link is answered %d", status)
	}
	if got := s.do(shopOnly, http.MethodPost, revoke, url.Values{}); got.status != http.StatusNotFound {
		t.Errorf("another project's proof is ended: %d", got.status)
	}
}

func TestSavedViewsComeBack(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.fail("billing", invoice("evt_1", "acct_1"), "boom")
	to := s.post(
		operator,
		"/views",
		url.Values{
			"project": {"billing"},
			"name":    {"Card trouble"},
			"show":    {"failed"},
			"effect":  {"credit_grant"},
			"from":    {"2026-01-01"},
			"to":      {"2099-12-31"},
		},
	)
	page := s.get(viewer, to)
	s.has(page, "Card trouble", "View saved.", "acct_1")
	id := regexp.MustCompile(`/views/([0-9a-f-]{36})/delete`).FindStringSubmatch(s.get(operator, to))
	if id == nil {
		t.Fatal("the view cannot be removed where it is shown")
	}
	if page := s.get(
		operator,
		s.post(operator, "/views/"+id[1]+"/delete", url.Values{"project": {"billing"}}),
	); strings.Contains(
		page,
		"Card trouble",
	) {
		t.Error("the view is still there")
	}
}
