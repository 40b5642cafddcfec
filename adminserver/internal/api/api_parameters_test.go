package api_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/sendpromptly/sendpromptly/adminserver/internal/api"
)

// parameter is one of an operation's query, as the spec has it.
type parameter struct {
	In, Name string
	Schema   struct{ Type, Format string }
}

// lists are the operations that read without an id in their path, with the
// parameters of their queries.
func lists(t *testing.T) map[line][]parameter {
	t.Helper()
	var s struct {
		Paths map[string]map[string]struct{ Parameters []parameter }
	}
	if err := json.Unmarshal(api.Spec(), &s); err != nil {
		t.Fatal(err)
	}
	found := map[line][]parameter{}
	for _, l := range spec(t) {
		if l.method != http.MethodGet || strings.Contains(l.path, "{") || l.id == "events-stream" {
			continue
		}
		for _, p := range s.Paths[l.path]["get"].Parameters {
			if p.In == "query" {
				found[l] = append(found[l], p)
			}
		}
	}
	return found
}

// One rule for the parameters of every list: what is empty is absent, an offset of a day or more is no time, ids of ours come
// in any case and are answered in lower case, and what is neither is refused.
func TestParametersOfEveryListFollowOneRule(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	mine := d.things("default")
	incident := mine["incidents"]
	rules := []struct {
		name string
		of   func(p parameter) bool
		// values are each sent alone; one that is fine must be answered as without is where same is set.
		values []string
		status int
		same   bool
	}{
		{"empty", func(parameter) bool { return true }, []string{""}, 200, true},
		{
			"an offset of a day",
			func(p parameter) bool { return p.Schema.Format == "date-time" },
			[]string{
				"2026-01-02T00:00:00+24:00",
				"2026-01-02T00:00:00-24:00",
				"2026-01-02T00:00:00+99:00",
				"x",
				"2026-01-02",
				"1969-12-31T23:59:59Z",
			},
			422,
			false,
		},
		{"a wide offset", func(p parameter) bool { return p.Schema.Format == "date-time" }, []string{
			"2026-01-02T00:00:00+23:59", "2026-01-02T00:00:00-23:59",
		}, 200, false},
		{
			"a number",
			func(p parameter) bool { return p.Name == "limit" },
			[]string{"0", "-1", "501", "x", "1.5", "1e1", "0x1", "\u0661"},
			422,
			false,
		},
		{"an id", func(p parameter) bool { return p.Name == "cursor" || p.Name == "incident" }, []string{
			incident, strings.ToUpper(incident),
		}, 200, false},
		{"no id", func(p parameter) bool { return p.Name == "cursor" || p.Name == "incident" }, []string{
			"x", "{" + incident[1:35] + "}", strings.ReplaceAll(incident, "-", ""), "00000000-0000-0000-0000-000000000000",
		}, 422, false},
		{"no text", func(p parameter) bool { return p.Schema.Type == "string" }, []string{"a\x00", "\xff"}, 422, false},
	}
	seen := map[string]int{}
	for l, parameters := range lists(t) {
		plain := d.do(call{method: l.method, path: l.path, token: "admin"})
		for _, p := range parameters {
			for _, rule := range rules {
				if !rule.of(p) {
					continue
				}
				for _, value := range rule.values {
					seen[rule.name]++
					a := d.do(call{method: l.method, path: l.path + "?" + p.Name + "=" + url.QueryEscape(value), token: "admin"})
					if a.status != rule.status || rule.same && string(a.body) != string(plain.body) {
						t.Errorf("%s, %s=%q, %s: %d: %s", l.id, p.Name, value, rule.name, a.status, a.body)
					}
				}
			}
		}
	}
	for _, rule := range rules {
		if seen[rule.name] == 0 {
			t.Errorf("no parameter was asked with %s", rule.name)
		}
	}
}

// An id in a path is one of ours in any case; the answer has it in lower case.
func TestIDsInPathsAreTakenInAnyCase(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	mine := d.things("default")
	asked := 0
	for _, l := range spec(t) {
		if l.method != http.MethodGet || !strings.Contains(l.path, "{id}") {
			continue
		}
		asked++
		want := d.do(call{method: l.method, path: l.at(mine), token: "admin"})
		upper := things{}
		for name, id := range mine {
			upper[name] = strings.ToUpper(id)
		}
		if got := d.do(
			call{method: l.method, path: l.at(upper), token: "admin"},
		); got.status != 200 ||
			string(got.body) != string(want.body) {
			t.Errorf("%s: %d: %s\nwant %s", l.id, got.status, got.body, want.body)
		}
	}
	if asked < 5 {
		t.Errorf("only %d operations were asked", asked)
	}
	path := "/incidents/" + strings.ToUpper(mine["incidents"])
	key := http.Header{"If-Match": {"*"}, "Idempotency-Key": {"one"}}
	first := d.do(call{method: "POST", path: path + "/note", token: "admin", body: `{"note":"n"}`, header: key})
	again := d.do(call{method: "POST", path: strings.ToLower(path) + "/note", token: "admin", body: `{"note":"n"}`, header: key})
	if !strings.Contains(string(first.body), mine["incidents"]) || !slices.Equal(first.body, again.body) ||
		again.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("%s\n%s", first.body, again.body)
	}
}
