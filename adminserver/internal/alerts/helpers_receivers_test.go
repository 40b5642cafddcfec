package alerts_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// received is one request to an endpoint.
type received struct {
	header http.Header
	body   string
}

// endpoint is a receiver of webhooks that answers what the test says.
type endpoint struct {
	url string

	mu     sync.Mutex
	status int
	header map[string]string
	got    []received
}

func newEndpoint(t *testing.T) *endpoint {
	e := &endpoint{status: 200}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		e.mu.Lock()
		defer e.mu.Unlock()
		e.got = append(e.got, received{r.Header, string(body)})
		for name, value := range e.header {
			w.Header().Set(name, value)
		}
		w.WriteHeader(e.status)
	}))
	t.Cleanup(server.Close)
	e.url = server.URL + "/services/T000/secret-path"
	return e
}

func (e *endpoint) answer(status int, header map[string]string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.status, e.header = status, header
}

func (e *endpoint) all() []received {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]received(nil), e.got...)
}

// mailServer speaks just enough SMTP to take messages.
type mailServer struct {
	address string

	mu   sync.Mutex
	full bool
	got  []letter
}

type letter struct {
	to   []string
	text string
}

func newMailServer(t *testing.T) *mailServer {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	m := &mailServer{address: listener.Addr().String()}
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go m.talk(connection)
		}
	}()
	return m
}

func (m *mailServer) talk(connection net.Conn) {
	defer func() { _ = connection.Close() }()
	say := func(line string) { _, _ = fmt.Fprint(connection, line+"\r\n") }
	say("220 mail.test ESMTP")
	var now letter
	for lines := bufio.NewReader(connection); ; {
		line, err := lines.ReadString('\n')
		if err != nil {
			return
		}
		switch verb := strings.ToUpper(strings.Fields(line + " x")[0]); verb {
		case "EHLO":
			say("250-mail.test")
			say("250 8BITMIME")
		case "RCPT":
			now.to = append(now.to, strings.Trim(strings.TrimSpace(line[len("RCPT TO:"):]), "<>"))
			say("250 ok")
		case "DATA":
			say("354 go on")
			var text strings.Builder
			for {
				line, err := lines.ReadString('\n')
				if err != nil {
					return
				}
				if line == ".\r\n" {
					break
				}
				text.WriteString(line)
			}
			now.text = text.String()
			m.mu.Lock()
			full := m.full
			if !full {
				m.got = append(m.got, now)
			}
			m.mu.Unlock()
			if full {
				say("452 no room")
			} else {
				say("250 taken")
			}
			now = letter{}
		case "QUIT":
			say("221 bye")
			return
		default:
			say("250 ok")
		}
	}
}

func (m *mailServer) all() []letter {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]letter(nil), m.got...)
}
