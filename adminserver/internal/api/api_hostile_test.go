package api_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/sendpromptly/sendpromptly/adminserver/internal/api"
)

// schema is as much of one as the test needs.
type schema struct {
	Ref        string `json:"$ref"`
	Type       any
	Properties map[string]schema
}

// operationForm is what an operation takes.
type operationForm struct {
	Parameters []struct {
		In, Name string
	}
	RequestBody struct {
		Content map[string]struct{ Schema schema }
	}
}

// forms reads what each operation takes out of the spec, by its id.
func forms(t *testing.T) (map[string]operationForm, map[string]schema) {
	t.Helper()
	var s struct {
		Paths map[string]map[string]struct {
			operationForm
			ID string `json:"operationId"`
		}
		Components struct{ Schemas map[string]schema }
	}
	if err := json.Unmarshal(api.Spec(), &s); err != nil {
		t.Fatal(err)
	}
	all := map[string]operationForm{}
	for _, operations := range s.Paths {
		for _, o := range operations {
			all[o.ID] = o.operationForm
		}
	}
	return all, s.Components.Schemas
}

// hostile are texts that a database, a path, a header or a page may stumble over.
var hostile = []string{
	"\x00",
	"a\x00b",
	"\xff\xfe",
	"\xed\xa0\x80",
	"\u202e",
	"%",
	"..",
	"../..",
	"'",
	"\\",
	"' OR 1=1 --",
	"<script>alert(1)</script>",
	"$1",
	"{}",
	"[]",
	"-1",
	"9223372036854775808",
	"1e999",
	"NaN",
	"infinity",
	"0001-01-01T00:00:00Z",
	"9999-12-31T23:59:59+24:00",
	"\r\nX-Injected: 1",
	strings.Repeat("a", 64),
	strings.Repeat("é", 200),
	strings.Repeat("x", 5000),
}

// paths are those of an operation with a hostile text in each place of path and query.
func (l line) paths(of things, form operationForm) (paths []string) {
	for _, text := range hostile {
		for _, p := range form.Parameters {
			switch p.In {
			case "path":
				with := maps.Clone(of)
				parts := strings.Split(l.path, "/")
				for i, part := range parts {
					if part == "{"+p.Name+"}" {
						with[part], with[parts[i-1]] = url.PathEscape(text), url.PathEscape(text)
					}
				}
				paths = append(paths, l.at(with))
			case "query":
				paths = append(paths, l.at(of)+"?"+url.Values{p.Name: {text}}.Encode())
			}
		}
	}
	return paths
}

// bodies are those of an operation with a hostile value in each member.
func (l line) bodiesWith(t *testing.T, form operationForm, components map[string]schema) (made []string) {
	t.Helper()
	if !l.hasBody {
		return []string{""}
	}
	var valid map[string]any
	if err := json.Unmarshal([]byte(bodies[l.id]), &valid); err != nil {
		t.Fatal(err)
	}
	add := func(change func(body map[string]any, value any)) {
		values := []any{nil, true, -1, 1e308, 0.5, []any{}, map[string]any{}}
		for _, text := range hostile {
			values = append(values, text)
		}
		for _, value := range values {
			body := maps.Clone(valid)
			change(body, value)
			text, err := json.Marshal(body)
			if err != nil {
				t.Fatal(err)
			}
			made = append(made, string(text))
		}
	}
	of := resolve(form.RequestBody.Content["application/json"].Schema, components)
	for name, member := range of.Properties {
		add(func(body map[string]any, value any) { body[name] = value })
		for inner := range resolve(member, components).Properties {
			add(func(body map[string]any, value any) { body[name] = map[string]any{"open": true, inner: value} })
		}
	}
	return made
}

func resolve(s schema, components map[string]schema) schema {
	if s.Ref == "" {
		return s
	}
	return components[s.Ref[strings.LastIndex(s.Ref, "/")+1:]]
}

// Whatever is put in any place of any request, it is the caller's mistake and
// never ours: no 500, no large answer, nothing in the log of errors. A new
// operation is found in the spec.
func TestNoInputIsAFailureOfOurs(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	mine := d.things("default")
	all, components := forms(t)
	sent := 0
	for _, l := range spec(t) {
		if l.id == "events-stream" {
			continue
		}
		form := all[l.id]
		var calls []call
		for _, path := range l.paths(mine, form) {
			calls = append(calls, call{path: path, body: bodies[l.id]})
		}
		for _, body := range l.bodiesWith(t, form, components) {
			// The thing itself does not exist, so that nothing is used up by what happens to be valid.
			none := maps.Clone(mine)
			for name := range none {
				none[name] = "01900000-0000-7000-8000-000000000000"
			}
			of := mine
			if l.method == http.MethodDelete || slices.Contains([]string{"plans-start", "plans-stop"}, l.id) {
				of = none
			}
			calls = append(calls, call{path: l.at(of), body: body})
		}
		for _, c := range calls {
			c.method, c.token, c.header = l.method, "admin", http.Header{"If-Match": {"*"}}
			a := d.do(c)
			sent++
			if a.status >= 500 || a.status >= 400 && (len(a.body) > 4<<10 || strings.Contains(string(a.body), "<script>")) ||
				a.header.Get("X-Injected") != "" {
				t.Errorf("%s %.200s %.200s: %d %.300s", l.method, c.path, c.body, a.status, a.body)
			}
		}
	}
	if strings.Contains(d.log.String(), "level=ERROR") {
		t.Errorf("logged as ours: %.2000s", d.log.String()[strings.Index(d.log.String(), "level=ERROR"):])
	}
	t.Logf("%d requests", sent)
}

// A project that is not there is no empty one, for whoever sees all of them.
func TestAProjectThatDoesNotExistIsNotFound(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	mine := d.things("default")
	all, _ := forms(t)
	for _, l := range spec(t) {
		for _, p := range all[l.id].Parameters {
			if p.In == "query" && p.Name == "project" {
				c := l.call(t, mine, "admin")
				c.path += "?project=nosuch"
				d.requireProblem(l.id, d.do(c), http.StatusNotFound)
			}
		}
	}
}
