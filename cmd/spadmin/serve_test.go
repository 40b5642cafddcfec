package main

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sendpromptly/sendpromptly/engine/enginetest"
	"github.com/sendpromptly/sendpromptly/internal/store/rooms"
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

// Streams have no end of their own: they must not hold up the server's.
func TestServeGoesDownWhilePagesAreLive(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	st, err := rooms.Open(db.Pool, "")
	if err != nil {
		t.Fatal(err)
	}
	_, token, err := st.Access.Tokens.Create(t.Context(), "viewer", "stream", "", 0, "test")
	if err != nil {
		t.Fatal(err)
	}
	s := startServe(t, db)
	var ended sync.WaitGroup
	for _, path := range []string{"/events", "/api/admin/v1/events", "/events", "/api/admin/v1/events?after=0-0"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		response, err := http.DefaultClient.Do(r)
		if err != nil || response.StatusCode != 200 {
			t.Fatalf("%s: %v, %v", path, response, err)
		}
		ended.Go(func() {
			defer func() { _ = response.Body.Close() }()
			if _, err := io.Copy(io.Discard, response.Body); err != nil {
				t.Errorf("%s was cut off: %v", path, err)
			}
		})
	}
	if took := s.stop(t); took > 4*time.Second {
		t.Errorf("it took %s", took)
	}
	ended.Wait()
}

func TestTheFirstInviteLinkLetsAnAdminIn(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	s := startServe(t, db, "--no-engine", "--only", "console")
	link := ""
	for _, line := range s.lines {
		if strings.HasPrefix(line, s.url+"/login/") {
			link = line
		}
	}
	if link == "" {
		t.Fatalf("no link: %q", s.lines)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar}
	for _, step := range [][2]string{{http.MethodPost, link}, {http.MethodGet, s.url + "/operators"}} {
		r, err := http.NewRequestWithContext(t.Context(), step[0], step[1], nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := browser.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != http.StatusOK || strings.Contains(response.Request.URL.Path, "login") {
			t.Errorf("%s: %d at %s", step[1], response.StatusCode, response.Request.URL.Path)
		}
	}
	if strings.Contains(s.log.String(), strings.TrimPrefix(link, s.url+"/login/")) {
		t.Error("the log holds the link")
	}
	if took := s.stop(t); took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
	if again := startServe(t, db, "--no-engine"); len(again.lines) > 0 {
		t.Errorf("somebody can log in, and it still says %q", again.lines)
	}
}

func TestSlowAndLargeRequestsEnd(t *testing.T) {
	t.Parallel()
	s := startServe(t, enginetest.New(t), "--no-engine")
	for why, request := range map[string]string{
		"headers that never end": "GET /login HTTP/1.1\r\nHost: x\r\nX-Slow: ",
		"a large header":         "GET /login HTTP/1.1\r\nHost: x\r\nX-Large: " + strings.Repeat("x", 64<<10) + "\r\n\r\n",
		"many headers":           "GET /login HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("X-Many: x\r\n", 8<<10) + "\r\n",
		"a large body announced": "POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\nx",
		"a body in chunks": "POST /login HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n" +
			"Transfer-Encoding: chunked\r\n\r\n" + strings.Repeat("4000\r\n"+strings.Repeat("x", 0x4000)+"\r\n", 8) + "0\r\n\r\n",
		"no HTTP": strings.Repeat("\x16\x03\x01", 1000) + "\r\n\r\n",
	} {
		t.Run(why, func(t *testing.T) {
			t.Parallel()
			conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			began := time.Now()
			_, _ = io.WriteString(conn, request) // it may hang up before the end
			if err := conn.SetReadDeadline(began.Add(20 * time.Second)); err != nil {
				t.Fatal(err)
			}
			head, err := bufio.NewReader(io.LimitReader(conn, 64<<10)).ReadString('\n')
			if took := time.Since(began); took > 10*time.Second || strings.Contains(head, " 200 ") || strings.Contains(head, " 500 ") {
				t.Errorf("%q after %s, %v", head, took, err)
			}
		})
	}
}

func TestServeSpeaksTLSByFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	roots := selfSigned(t, cert, key)
	s := startServe(t, enginetest.New(t), "--no-engine", "--tls-cert", cert, "--tls-key", key)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/readyz", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != 200 || !strings.HasPrefix(s.url, "https://") ||
		response.Header.Get("Strict-Transport-Security") == "" {
		t.Errorf("%s: %d, %v", s.url, response.StatusCode, response.Header)
	}
}

// selfSigned writes a certificate for 127.0.0.1.
func selfSigned(t *testing.T, certFile, keyFile string) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{
		certFile: {Type: "CERTIFICATE", Bytes: der},
		keyFile:  {Type: "PRIVATE KEY", Bytes: secret},
	} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	return roots
}
