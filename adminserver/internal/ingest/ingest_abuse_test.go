package ingest_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/sendpromptly/sendpromptly/adminserver"
)

// zeros is a body without an end.
type zeros struct{ left int64 }

func (z *zeros) Read(p []byte) (int, error) {
	if z.left <= 0 {
		return 0, io.EOF
	}
	n := min(int64(len(p)), z.left)
	z.left -= n
	for i := range p[:n] {
		p[i] = ' '
	}
	return int(n), nil
}

func TestAHugeBodyCostsNothing(t *testing.T) {
	t.Parallel()
	s := start(t, adminserver.IngestLimits{})
	for project, key := range map[string]string{"default": s.keys["default"], "keep": s.keys["keep"], "nobody": "sk_nobody"} {
		for _, chunked := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s chunked %v", project, chunked), func(t *testing.T) {
				const size = 100 << 20
				r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/api/v1/receipt", &zeros{size})
				if err != nil {
					t.Fatal(err)
				}
				r.ContentLength = size
				if chunked {
					r.ContentLength = -1
				}
				for name, value := range map[string]string{
					"Authorization": "Bearer " + key, "Idempotency-Key": "k", "Content-Type": "application/json",
					"Accept": "application/json",
				} {
					r.Header.Set(name, value)
				}
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				began := time.Now()
				response, err := http.DefaultClient.Do(r)
				took := time.Since(began)
				runtime.ReadMemStats(&after)
				if err != nil { // the server hung up while we were still sending, which is its right
					if !strings.Contains(err.Error(), "reset") && !strings.Contains(err.Error(), "broken pipe") {
						t.Errorf("%v", err)
					}
				} else {
					text, _ := io.ReadAll(response.Body)
					_ = response.Body.Close()
					if want := map[bool]int{true: 401, false: 413}[key == "sk_nobody"]; response.StatusCode != want || len(text) > 4<<10 {
						t.Errorf("answered %d %s", response.StatusCode, text)
					}
				}
				if took > 5*time.Second {
					t.Errorf("it took %s", took)
				}
				// Other tests run beside this one, so the bound is wide; the body is far wider.
				if grown := after.TotalAlloc - before.TotalAlloc; grown > 64<<20 {
					t.Errorf("%d MB were allocated for a body that is not wanted", grown>>20)
				}
			})
		}
	}
}

func TestAClientThatNeverEndsItsBodyIsAnsweredInTime(t *testing.T) {
	t.Parallel()
	s := start(t, adminserver.IngestLimits{})
	connection, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = connection.Close() }()
	if _, err := fmt.Fprintf(
		connection,
		"POST /api/v1/receipt HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nIdempotency-Key: k\r\nContent-Type: "+
			"application/json\r\n"+
			"Accept: application/json\r\nContent-Length: 1000\r\n\r\n{",
		s.keys["default"],
	); err != nil {
		t.Fatal(err)
	}
	if err := connection.SetReadDeadline(time.Now().Add(15 * time.Second)); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(connection), nil)
	if err != nil {
		t.Fatalf("no answer: %v", err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != 422 || !response.Close {
		t.Errorf("answered %d %v", response.StatusCode, response.Header)
	}
}
