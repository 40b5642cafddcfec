package console_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/sendpromptly/sendpromptly/engine"
)

// pagesOf are all pages of a site with an incident in billing.
func pagesOf(incident engine.Incident, plan string) []string {
	return []string{
		"/",
		"/incidents",
		"/incidents?show=all&q=in_",
		"/incidents?show=closed&cause=failed&from=2026-01-01&to=2099-01-01",
		"/incidents/" + string(incident.ID),
		"/effects",
		"/effects?q=" + url.QueryEscape(incident.Subject),
		"/effects?q=nobody",
		"/effects/" + string(incident.EffectID),
		"/plans",
		"/plans/" + plan,
		"/projects",
		"/projects/billing",
		"/projects/shop",
		"/audit",
		"/audit?actor=nobody",
	}
}

// probes are texts that would do something in a page that wrote them as they are.
var probes = []string{
	`<sp-probe>`,
	`"'><sp-probe x="`,
	`" spx="`,
	`' spx='`,
	`javascript:sp_probe()`,
	"\u202eprobe\u202c",
	`{{sp_probe}}`,
	`</title><sp-probe>`,
	`&lt;sp-probe&gt;`,
	"]]><sp-probe>",
}

var dangerous = regexp.MustCompile(
	`(?i)<sp-probe|["'] spx=|(href|src|action|formaction)="\s*javascript:|\son[a-z]+\s*=|\sstyle\s*=|<style|<script(?:[^>]*)>[^<]`,
)

func TestNoFieldThatReachesAPageDoesAnythingThere(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	var paths []string
	for i, probe := range probes {
		a := engine.Acceptance{
			Key: engine.Key{
				Provider: "stripe",
				EventID:  "evt" + strings.ReplaceAll(probe, " ", "_"),
				Effect:   "eff" + strings.ReplaceAll(probe, " ", "_"),
			},
			EventType:   probe,
			Subject:     probe,
			Customer:    probe,
			Merchant:    probe,
			SourceEvent: strings.ReplaceAll(probe, " ", "_"),
			Version:     probe,
			Objects:     []string{strings.ReplaceAll(probe, " ", "_")},
			Amount:      engine.Money{Minor: int64(i), Currency: "JPY"},
		}
		incident := s.fail("billing", a, probe)
		by := probe + "/admin//recent"
		if strings.Contains(probe, "/") {
			by = admin
		}
		revision := url.Values{"revision": {"1"}, "note": {probe}}
		s.post(by, "/incidents/"+string(incident.ID)+"/note", revision)
		s.post(by, "/incidents/"+string(incident.ID)+"/close", revision)
		s.post(by, "/views", url.Values{"project": {"billing"}, "name": {probe}, "q": {probe}})
		plan := s.post(
			by,
			"/plans",
			url.Values{"project": {"billing"}, "action": {"reprocess"}, "show": {"closed"}, "q": {probe}, "note": {probe}},
		)
		plan, _, _ = strings.Cut(strings.TrimPrefix(plan, "/plans/"), "?")
		paths = append(paths, pagesOf(incident, plan)...)
		paths = append(
			paths,
			"/incidents?project=billing&show=all&q="+url.QueryEscape(probe)+"&effect="+url.QueryEscape(probe),
			"/audit?actor="+url.QueryEscape(probe),
		)
		settings := url.Values{
			"public_name":         {probe},
			"support_contact":     {probe},
			"timeout":             {"30"},
			"alert_after_failed":  {"2"},
			"alert_after_missing": {"0"},
			"retention_days":      {"0"},
		}
		s.post(by, "/projects/billing/settings", settings)
		if got := s.do(by, http.MethodPost, "/projects/billing/keys", url.Values{"label": {probe}}); got.status != http.StatusOK {
			t.Errorf("a key labelled %q: %d", probe, got.status)
		}
		if got := s.do(
			by,
			http.MethodPost,
			"/tokens",
			url.Values{"label": {probe}, "role": {"viewer"}, "days": {"1"}},
		); got.status != http.StatusOK {
			t.Errorf("a token labelled %q: %d", probe, got.status)
		}
	}
	for _, path := range append(paths, "/operators") {
		got := s.do(admin, http.MethodGet, path, nil)
		if found := dangerous.FindString(got.body); found != "" {
			t.Errorf("GET %s: the page holds %q", path, found)
		}
		if got.status != http.StatusOK && (got.status != http.StatusNotFound || strings.Contains(path, "/incidents/")) {
			t.Errorf("GET %s: %d", path, got.status)
		}
	}
}

func TestNULAndBrokenTextAreRefusedWithAPage(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, path := range []string{
		"/incidents?q=%00", "/effects?q=%00", "/effects?q=%ff", "/audit?actor=%00", "/incidents?show=nonsense",
		"/incidents?from=yesterday",
		"/incidents?before=1", "/incidents?q=" + strings.Repeat("x", 300),
	} {
		if got := s.do(
			admin,
			http.MethodGet,
			path,
			nil,
		); got.status != http.StatusUnprocessableEntity ||
			!strings.Contains(got.body, "<h1>") {
			t.Errorf("GET %s: %d", path, got.status)
		}
	}
	for _, path := range []string{
		"/incidents/1", "/incidents/%00", "/effects/x", "/plans/x", "/projects/nosuch", "/?project=nosuch",
		"/assets/console.css",
	} {
		if got := s.do(viewer, http.MethodGet, path, nil); got.status != http.StatusNotFound {
			t.Errorf("GET %s: %d", path, got.status)
		}
	}
}

func TestAnotherProjectDoesNotExist(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	incident := s.fail("billing", invoice("evt_1", "acct_1"), "boom")
	plan := s.post(admin, "/plans", url.Values{"project": {"billing"}, "action": {"reprocess"}, "show": {"open"}})
	plan, _, _ = strings.Cut(plan, "?")
	for _, path := range []string{
		"/incidents/" + string(incident.ID), "/effects/" + string(incident.EffectID),
		"/effects/" + string(incident.EffectID) + "?project=billing", plan,
		plan + "?project=billing", "/projects/billing", "/?project=billing", "/operators", "/events?project=billing",
	} {
		if got := s.do(shopOnly, http.MethodGet, path, nil); got.status != http.StatusNotFound {
			t.Errorf("GET %s: %d for who sees another project", path, got.status)
		}
	}
	for _, path := range []string{"/", "/incidents", "/effects?q=acct_1", "/projects", "/audit", "/plans"} {
		if page := s.get(shopOnly, path); strings.Contains(page, "billing") || strings.Contains(page, string(incident.ID)) {
			t.Errorf("GET %s tells of another project", path)
		}
	}
	if got := s.do(
		admin,
		http.MethodGet,
		"/incidents/"+string(incident.ID)+"?project=shop",
		nil,
	); got.status != http.StatusNotFound {
		t.Errorf("an incident under another project's name: %d", got.status)
	}
}

func TestPagesShowWhatTheRoleMayDo(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	incident := s.fail("billing", invoice("evt_1", "acct_1"), "boom")
	path := "/incidents/" + string(incident.ID)
	if page := s.get(viewer, path); strings.Contains(page, "<form method=\"post\"") || strings.Contains(page, "/reprocess") {
		t.Error("a viewer is shown what they may not do")
	}
	s.has(s.get(operator, path), path+"/reprocess", path+"/close", path+"/note", path+"/proof")
	if page := s.get(operator, "/projects/billing"); strings.Contains(page, "/keys") || strings.Contains(page, "/settings\"") {
		t.Error("an operator is shown an admin's forms")
	}
	s.has(s.get(admin, "/projects/billing"), "/projects/billing/keys", "/projects/billing/settings", "/projects/billing/secret")
	if page := s.get(
		stale,
		"/projects/billing",
	); strings.Contains(page, "/projects/billing/keys") ||
		!strings.Contains(page, "last 15 minutes") {
		t.Error("an old login is shown the forms of keys")
	}
	if got := s.do(operator, http.MethodGet, "/operators", nil); got.status != http.StatusForbidden {
		t.Errorf("operators for an operator: %d", got.status)
	}
}

func TestTheOverviewTellsOfOtherProjects(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.fail("billing", invoice("evt_1", "acct_1"), "boom")
	s.has(s.get(viewer, "/?project=shop"), "Also open", "<bdi>billing</bdi> 1", "all=yes")
	if page := s.get(shopOnly, "/"); strings.Contains(page, "Also open") {
		t.Error("another project is told of")
	}
	s.has(s.get(viewer, "/effects?project=shop&q=acct_1"), "Found in another project", "billing")
}

func TestTheEmptyConsoleTeachesTheNextStep(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.has(s.get(viewer, "/"), "effects.Accept(ctx, tx", "sendpromptly.accept(provider", s.url+"/api/v1/receipt")
	s.has(s.get(viewer, "/incidents"), "Nothing is open")
	s.has(s.get(admin, "/operators"), "spadmin operator invite")
	s.has(s.get(admin, "/projects/billing"), "sk_…")
	s.has(s.get(viewer, "/effects?q=in_1"), "No receipt has this id")
}
