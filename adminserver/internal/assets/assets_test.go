package assets

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

func get(path string) *http.Response {
	w := httptest.NewRecorder()
	ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w.Result()
}

func TestFilesAreKeptForAYearUnderANameWithTheirHash(t *testing.T) {
	t.Parallel()
	for name, kind := range map[string]string{
		"console.css": "text/css", "console.js": "text/javascript", "mark.svg": "image/svg+xml",
	} {
		path := Path(name)
		if !regexp.MustCompile(`^/assets/[a-z]+\.[0-9a-f]{12}\.(css|js|svg)$`).MatchString(path) {
			t.Errorf("%s is served at %s", name, path)
		}
		answer := get(path)
		if answer.StatusCode != http.StatusOK || !strings.HasPrefix(answer.Header.Get("Content-Type"), kind) ||
			!strings.Contains(answer.Header.Get("Cache-Control"), "immutable") {
			t.Errorf("%s: %d %v", path, answer.StatusCode, answer.Header)
		}
	}
}

func TestOtherPathsAreNotFound(t *testing.T) {
	t.Parallel()
	for _, path := range []string{
		"/assets/", "/assets/console.css", "/assets/console.000000000000.css", "/assets/assets.go", "/console.css",
	} {
		if answer := get(path); answer.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d", path, answer.StatusCode)
		}
	}
}

// Nothing may load from elsewhere, and the policy allows no inline style: a
// stylesheet that names another host would fail in front of the user.
func TestNothingComesFromElsewhere(t *testing.T) {
	t.Parallel()
	for path, file := range byPath {
		content := strings.ReplaceAll(string(file.content), `xmlns="http://www.w3.org/2000/svg"`, "")
		if found := regexp.MustCompile(`(?i)https?://|@import|url\(|\.style\b|innerHTML|insertAdjacentHTML|document\.write|\beval\b`).
			FindString(content); found != "" {
			t.Errorf("%s holds %q", path, found)
		}
	}
}
