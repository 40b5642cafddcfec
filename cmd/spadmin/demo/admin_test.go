package demo

import (
	"context"
	"io"
	"net/http"
	"net/http/cookiejar"
	"strings"
	"testing"
)

// requireConsole lets a reader in by a link, who finds the report's incidents in
// the console.
func requireConsole(t *testing.T, s *Stage, report Report) {
	t.Helper()
	link, err := s.store.Access.Operators.CreateLink(t.Context(), string(ada), ada)
	if err != nil {
		t.Fatal(err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	reader := &http.Client{Jar: jar}
	defer reader.CloseIdleConnections()
	if page := read(t, reader, http.MethodPost, s.loginURL(link)); !strings.Contains(page, string(ada)) {
		t.Errorf("nobody is logged in:\n%s", page)
	}
	for _, i := range report.Incidents {
		if page := read(t, reader, http.MethodGet, s.AdminURL+"/incidents/"+string(i.ID)); !strings.Contains(page, i.EventType) {
			t.Errorf("the console does not show the incident of %s", i.EventType)
		}
	}
}

func read(t *testing.T, reader *http.Client, method, url string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := reader.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode != http.StatusOK {
		t.Errorf("%s is answered %s", url, answer.Status)
	}
	return string(body)
}
