package adminserver_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/sendpromptly/sendpromptly/internal/store/projects"
)

// Whoever is limited to one project may not make somebody who is not.
func TestAnAdminOfOneProjectCannotBecomeOneOfAll(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	if _, _, err := s.store.Projects.Create(t.Context(), "mine", projects.Settings{}, nil, "test"); err != nil {
		t.Fatal(err)
	}
	limited, all := s.token("admin", "mine"), s.token("admin", "")
	for _, test := range []struct{ path, kind, body string }{
		{"/api/admin/v1/operators", "application/json", `{"email":"eve@example.com","role":"admin"}`},
		{"/api/admin/v1/tokens", "application/json", `{"label":"eve","role":"admin"}`},
		{"/api/admin/v1/projects", "application/json", `{"name":"eves"}`},
		{"/operators", "application/x-www-form-urlencoded", "email=eve%40example.com&role=admin"},
		{"/tokens", "application/x-www-form-urlencoded", "label=eve&role=admin"},
		{"/projects", "application/x-www-form-urlencoded", "name=eves"},
	} {
		for secret, allowed := range map[string]bool{limited: false, all: true} {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+test.path, strings.NewReader(test.body))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", test.kind)
			r.Header.Set("Authorization", "Bearer "+secret)
			response, err := s.browser().client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			text, _ := io.ReadAll(response.Body)
			_ = response.Body.Close()
			if refused := response.StatusCode == 403 || response.StatusCode == 404; refused == allowed || response.StatusCode == 401 {
				t.Errorf("%s, limited %v: %d %.300s", test.path, !allowed, response.StatusCode, text)
			}
		}
		for _, read := range []string{"/api/admin/v1/operators", "/api/admin/v1/tokens", "/operators"} {
			if a := s.browser().
				do("GET", read, nil, "Authorization: Bearer "+limited); a.StatusCode == 200 &&
				strings.Contains(a.text, "eve@example.com") {
				t.Errorf("%s tells an admin of one project who the operators are", read)
			}
		}
	}
}

// The audit log names people: it is for admins, whichever way it is read.
func TestTheAuditLogIsForAdmins(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	for role, want := range map[string]int{"viewer": 403, "operator": 403, "admin": 200} {
		header := "Authorization: Bearer " + s.token(role, "")
		for _, path := range []string{"/audit", "/api/admin/v1/audit"} {
			if a := s.browser().do("GET", path, nil, header); a.StatusCode != want {
				t.Errorf("%s as %s: %d", path, role, a.StatusCode)
			}
		}
		if a := s.browser().do("GET", "/incidents", nil, header); strings.Contains(a.text, `href="/audit`) != (want == 200) {
			t.Errorf("the menu for %s leads to the audit log, or does not", role)
		}
	}
}
