package adminserver_test

import (
	"html"
	"regexp"
	"strings"
	"testing"

	"github.com/sendpromptly/sendpromptly/internal/store/projects"
)

// A page that says no leads on: one can sign out there, and its way back works.
func TestAPageThatSaysNoLeadsOn(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	if _, _, err := s.store.Projects.Create(t.Context(), "shop", projects.Settings{}, nil, "test"); err != nil {
		t.Fatal(err)
	}
	b := s.invited("ada@example.com", "viewer")
	back := regexp.MustCompile(`<a href="([^"]*)">Back to the overview`)
	for path, status := range map[string]int{
		"/operators": 403, "/incidents?project=nosuch": 404, "/incidents/nosuch?project=shop": 404, "/incidents?show=x": 422,
	} {
		page := b.get(path).require(t, status, "").text
		if !strings.Contains(page, `action="/logout"`) {
			t.Errorf("%s: nobody can sign out:\n%s", path, page)
		}
		found := back.FindStringSubmatch(page)
		if found == nil {
			t.Fatalf("%s: no way back:\n%s", path, page)
		}
		b.get(html.UnescapeString(found[1])).require(t, 200, "")
	}
}
