package guardedhttp

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// local is a client that reaches test servers.
func local() *http.Client { return New([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}) }

func TestRedirectsAreReturnedNotFollowed(t *testing.T) {
	tr := newTrap(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://127.0.0.1:"+tr.port+"/", http.StatusTemporaryRedirect)
	}))
	defer server.Close()
	response, err := local().Post(server.URL, "application/json", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusTemporaryRedirect || tr.accepted.Load() != 0 {
		t.Errorf("status %d, %d connections to its target", response.StatusCode, tr.accepted.Load())
	}
}

func TestTheEnvironmentsProxyIsNotAsked(t *testing.T) {
	tr := newTrap(t)
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"} {
		t.Setenv(name, "http://127.0.0.1:"+tr.port)
	}
	// net/http reads the environment once a process: hold the settings instead.
	for _, pool := range []*http.Transport{local().Transport.(*transport).https, local().Transport.(*transport).http} {
		if pool.Proxy != nil {
			t.Error("a proxy is configured")
		}
	}
	if err := get(t, newClient(nil, fakeResolver(t, [4]byte{10, 0, 0, 1})), "https://example.com"); !errors.Is(err, ErrBlocked) {
		t.Errorf("got %v", err)
	}
	if tr.accepted.Load() != 0 {
		t.Error("the proxy was asked")
	}
}

func TestWhatARequestCarries(t *testing.T) {
	var got http.Header
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Header
		http.SetCookie(w, &http.Cookie{Name: "session", Value: "x"})
	}))
	defer server.Close()
	client := local()
	for range 2 {
		r, err := http.NewRequestWithContext(t.Context(), "GET", server.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if len(r.Header) != 0 {
			t.Errorf("the caller's request was changed: %v", r.Header)
		}
	}
	if !strings.HasPrefix(got.Get("User-Agent"), "SendPromptly ") || got.Get("Cookie") != "" || got.Get("Accept-Encoding") != "" {
		t.Errorf("got %v", got)
	}
}

func TestAnswersAreBounded(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(make([]byte, MaxBody+1))
	}))
	defer server.Close()
	response, err := local().Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	read, err := io.ReadAll(response.Body)
	var tooLong *http.MaxBytesError
	if len(read) != MaxBody || !errors.As(err, &tooLong) {
		t.Errorf("read %d bytes, %v", len(read), err)
	}
}

// A server that accepts and never answers holds nobody for longer than the
// timeout. The bubble's clock runs ahead while all in it wait.
func TestSilenceEndsAtTheTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := New(nil)
		pool := client.Transport.(*transport).https
		pool.DialTLSContext = func(context.Context, string, string) (net.Conn, error) {
			ours, theirs := net.Pipe()
			go func() { _, _ = io.Copy(io.Discard, theirs) }()
			return ours, nil
		}
		pool.ResponseHeaderTimeout = 0
		start := time.Now()
		_, err := client.Get("https://app.example.com/")
		var timeout interface{ Timeout() bool }
		if !errors.As(err, &timeout) || !timeout.Timeout() || time.Since(start) != Timeout {
			t.Errorf("after %s: %v", time.Since(start), err)
		}
	})
}

func TestClosingLeavesNoConnectionBehind(t *testing.T) {
	var open atomic.Int64
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	closed := make(chan struct{})
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			open.Add(1)
		case http.StateClosed:
			if open.Add(-1) == 0 {
				close(closed)
			}
		}
	}
	server.Start()
	defer server.Close()
	client := local()
	for range 3 {
		response, err := client.Get(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
	}
	if open.Load() != 1 {
		t.Errorf("%d connections for three requests after each other", open.Load())
	}
	client.CloseIdleConnections()
	select {
	case <-closed:
	case <-time.After(5 * time.Second):
		t.Error("a connection stayed open")
	}
}

func TestHTTP2IsSpoken(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	client := local()
	roots := server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	client.Transport.(*transport).https.TLSClientConfig = &tls.Config{RootCAs: roots}
	response, err := client.Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.ProtoMajor != 2 {
		t.Errorf("spoke %s", response.Proto)
	}
}

func TestCertificatesAreChecked(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	var unknown *tls.CertificateVerificationError
	if err := get(t, local(), server.URL); !errors.As(err, &unknown) {
		t.Errorf("got %v", err)
	}
}

func TestWithoutURL(t *testing.T) {
	err := get(t, New(nil), "https://127.0.0.1:1/services/T0/B0/secret")
	if plain := WithoutURL(err); !errors.Is(plain, ErrBlocked) || strings.Contains(plain.Error(), "https://") {
		t.Errorf("got %v", plain)
	}
	if other := errors.New("other"); !errors.Is(WithoutURL(other), other) {
		t.Error("another error was changed")
	}
}
