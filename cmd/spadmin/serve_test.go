package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sendpromptly/sendpromptly/engine/enginetest"
)

// served is a running spadmin serve.
type served struct {
	url     string
	command *exec.Cmd
	// lines are what it printed before the address.
	lines []string
	log   *logged
}

type logged struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// startServe starts it on a free port and waits until it is ready.
func startServe(t *testing.T, db *enginetest.Database, args ...string) *served {
	t.Helper()
	s := &served{log: &logged{}}
	s.command = exec.CommandContext(t.Context(), "spadmin", append([]string{"serve", "--listen", "127.0.0.1:0"}, args...)...)
	s.command.Env = append(s.command.Environ(), "DATABASE_URL="+db.URL)
	s.command.Stderr = s.log
	out, err := s.command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.command.Process.Kill() })
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if url, found := strings.CutPrefix(lines.Text(), "serving "); found {
			s.url = url
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return s
		}
		s.lines = append(s.lines, lines.Text())
	}
	t.Fatalf("serve ended: %s", s.log)
	return nil
}

// stop interrupts it and returns how long it took to end.
func (s *served) stop(t *testing.T) time.Duration {
	t.Helper()
	began := time.Now()
	if err := s.command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := s.command.Wait(); err != nil {
		t.Errorf("serve: %v\n%s", err, s.log)
	}
	return time.Since(began)
}

func get(t *testing.T, url string) (status int, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

func TestServeIsReadyAndGoesDownOnSIGTERM(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	s := startServe(t, db)
	for _, page := range []string{"/healthz", "/readyz"} {
		if status, body := get(t, s.url+page); status != 200 {
			t.Errorf("%s: %d %s", page, status, body)
		}
	}
	// A client that never ends its request must not hold the end up.
	slow, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = slow.Close() }()
	if _, err := fmt.Fprint(slow, "POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n"); err != nil {
		t.Fatal(err)
	}
	if took := s.stop(t); took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
}
