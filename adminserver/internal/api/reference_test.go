package api_test

import (
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/sendpromptly/sendpromptly/adminserver/internal/api"
)

// The reference page names every operation and shape, is read without logging
// in, and holds no script, no inline style and nothing from elsewhere.
func TestTheReferencePageExplainsEveryOperation(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	a := d.do(call{method: "GET", path: "/reference"})
	page := string(a.body)
	if a.status != http.StatusOK || !strings.HasPrefix(a.header.Get("Content-Type"), "text/html") {
		t.Fatalf("%d %s", a.status, a.header.Get("Content-Type"))
	}
	for _, l := range spec(t) {
		for _, want := range []string{`id="` + l.id + `"`, `href="#` + l.id + `"`, "<code>" + l.method + " " + l.path + "</code>"} {
			if !strings.Contains(page, want) {
				t.Errorf("%s: the page lacks %s", l.id, want)
			}
		}
	}
	for _, never := range []string{"<script", "style=", "<style", " on", "http://", "https://", "ZgotmplZ", "<no value>"} {
		if strings.Contains(page, "<a "+never) || never != " on" && strings.Contains(page, never) {
			t.Errorf("the page holds %q", never)
		}
	}
	for name, links := range map[string]int{`href="#shape-`: 60} {
		if n := strings.Count(page, name); n < links {
			t.Errorf("%d links to shapes", n)
		}
	}
	for _, link := range strings.Split(page, `href="#`)[1:] {
		target, _, _ := strings.Cut(link, `"`)
		if !strings.Contains(page, `id="`+target+`"`) {
			t.Errorf("a link to #%s leads nowhere", target)
		}
	}
	requireWellFormed(t, page)
	served := d.do(call{method: "GET", path: "/openapi.json"})
	if served.status != http.StatusOK || string(served.body) != string(api.Spec()) {
		t.Errorf("the spec that is served: %d, %d bytes", served.status, len(served.body))
	}
}

func requireWellFormed(t *testing.T, page string) {
	t.Helper()
	decoder := xml.NewDecoder(strings.NewReader(page))
	decoder.Entity = xml.HTMLEntity
	for {
		_, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("the page is not well-formed: %v", err)
		}
	}
}
