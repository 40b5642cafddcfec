package console_test

import (
	"bufio"
	"net/http"
	"strings"
	"testing"
	"time"
)

// listen opens the stream of a project and returns the lines of its data.
func (s *site) listen(who, project string) <-chan string {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.url+"/events?project="+project, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Who", who)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { answer.Body.Close() })
	if kind := answer.Header.Get("Content-Type"); answer.StatusCode != http.StatusOK || kind != "text/event-stream" {
		s.t.Fatalf("the stream: %d %s", answer.StatusCode, kind)
	}
	lines := make(chan string, 100)
	go func() {
		for scanner := bufio.NewScanner(answer.Body); scanner.Scan(); {
			if data, ok := strings.CutPrefix(scanner.Text(), "data: "); ok {
				lines <- data
			}
		}
	}()
	return lines
}

func TestAnOpenPageHearsWhatChangesInItsProjectAndNothingElse(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	billing, shop := s.listen(viewer, "billing"), s.listen(viewer, "shop")
	deadline := time.After(20 * time.Second)
	// The stream may begin to follow after the first change; the page read itself
	// before, so that one may be missed, and the next may not.
	for heard := false; !heard; {
		incident := s.fail("billing", invoice("evt_"+time.Now().Format("150405.000000000"), "acct_1"), "boom")
		select {
		case data := <-billing:
			if strings.Contains(data, `"kind":"settings"`) {
				continue // the project's own making comes again while a transaction on the server is older
			}
			if !strings.Contains(data, `"kind":"incident"`) || strings.Contains(data, "acct_1") {
				t.Errorf("heard %s", data)
			}
			heard = true
		case <-time.After(2 * time.Second):
			t.Logf("not heard of %s yet", incident.ID)
		case <-deadline:
			t.Fatal("nothing was heard")
		}
	}
	for waiting := true; waiting; {
		select {
		case data := <-shop:
			if !strings.Contains(data, `"kind":"settings"`) { // its own making comes again, as above
				t.Errorf("another project heard %s", data)
			}
		default:
			waiting = false
		}
	}
}
