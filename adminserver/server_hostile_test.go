package adminserver_test

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/sendpromptly/sendpromptly/adminserver/internal/web"
)

// hostile are texts that a database, a header or a page may stumble over.
var hostile = []string{
	"\x00",
	"a\x00b",
	"\xff\xfe",
	"\xed\xa0\x80",
	"%",
	"..",
	"'",
	"\\",
	"<script>alert(1)</script>",
	"-1",
	"9223372036854775808",
	"1e999",
	"NaN",
	"+Inf",
	"0001-01-01",
	"9999-12-31",
	"\r\nX-Injected: 1",
	strings.Repeat("é", 200),
	strings.Repeat("x", 5000),
}

// formFields finds the names of all fields that the rooms for people read, so
// that a new one is not forgotten.
func formFields(t *testing.T) []string {
	t.Helper()
	reads := regexp.MustCompile(`(?:FormValue|Get|text|tick)\("([a-z_]+)"\)`)
	names := []string{"timeout", "alert_after_failed", "alert_after_missing"} // read in a loop
	for _, room := range []string{"console", "login", "proofpage"} {
		files, err := filepath.Glob("internal/" + room + "/*.go")
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, match := range reads.FindAllStringSubmatch(string(text), -1) {
				names = append(names, match[1])
			}
		}
	}
	if slices.Sort(names); len(names) < 30 {
		t.Fatalf("found only %v", names)
	}
	return slices.Compact(names)
}

// valid is a form that reaches what is behind the first checks.
func valid(method string) url.Values {
	values := form(method)
	for field, value := range map[string]string{
		"timeout": "30", "alert_after_failed": "2", "alert_after_missing": "0", "retention_days": "0", "days": "7", "count": "1",
		"overlap_hours": "1", "channel": "email", "show": "open", "action": "close", "target": "oncall@example.com",
	} {
		if method == http.MethodPost {
			values.Set(field, value)
		}
	}
	return values
}

// Whatever is put into a form, an address or a query, it is never our failure:
// no 500, no answer that runs it, nothing in the log of errors.
func TestNoFormAndNoAddressIsAFailureOfOurs(t *testing.T) {
	t.Parallel()
	m := newMatrix(t)
	header := "Authorization: Bearer " + m.token("admin", "")
	ask := func(method, path string, form url.Values) {
		t.Helper()
		a := m.browser().do(method, path, form, header)
		if a.StatusCode >= 500 || a.Header.Get("X-Injected") != "" || strings.Contains(a.text, "<script>alert") {
			t.Errorf("%s %.200s %.200s: %d %.500s", method, path, form.Encode(), a.StatusCode, a.text)
		}
	}
	fields := formFields(t)
	for _, route := range m.server.Table() {
		if route.Kind != web.Page || route.Stream {
			continue
		}
		method, path := m.fill(route.Pattern)
		for _, text := range hostile {
			for _, place := range placeholder.FindAllString(route.Pattern, -1) {
				_, with, _ := strings.Cut(strings.Replace(route.Pattern, place, url.PathEscape(text), 1), " ")
				_, with = m.fill(method + " " + with)
				ask(method, with, valid(method))
			}
			if method == http.MethodPost && route.Role > 0 { // in all fields at once
				values := url.Values{}
				for _, field := range fields {
					values.Set(field, text)
				}
				values.Set("project", "theirs")
				ask(method, path, values)
			}
		}
		for n, field := range fields { // in one, with the others valid
			for _, text := range []string{"a\x00b", hostile[n%len(hostile)]} {
				if method == http.MethodGet {
					ask(method, path+"?"+url.Values{field: {text}}.Encode(), nil)
					continue
				}
				values := valid(method)
				values.Set(field, text)
				ask(method, path, values)
			}
		}
	}
	if log := m.log.String(); strings.Contains(log, "level=ERROR") {
		t.Errorf("logged as ours: %.2000s", log[strings.Index(log, "level=ERROR"):])
	}
}
