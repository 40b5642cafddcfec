package pg

import (
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

// echo answers every write of 4 bytes.
func echo(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		conn, err := l.Accept()
		if err == nil {
			io.Copy(conn, conn)
			conn.Close()
		}
	}()
	return l.Addr().String()
}

func TestARoundTripIsTheFirstReadAfterAWrite(t *testing.T) {
	t.Parallel()
	var w wire
	conn, err := w.dial(t.Context(), "tcp", echo(t))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	text := make([]byte, 4)
	for range 3 {
		conn.Write([]byte("ab"))
		conn.Write([]byte("cd")) // one pipeline
		if _, err := io.ReadFull(conn, text[:2]); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(conn, text[2:]); err != nil { // the rest of the same answer
			t.Fatal(err)
		}
	}
	if got := w.trips.Load(); got != 3 {
		t.Errorf("counted %d round trips, want 3", got)
	}
}

func TestTheDelayIsOnceARoundTrip(t *testing.T) {
	t.Parallel()
	const delay, trips = 5 * time.Millisecond, 4
	var w wire
	w.delay.Store(int64(delay))
	conn, err := w.dial(t.Context(), "tcp", echo(t))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	began := time.Now()
	text := make([]byte, 4)
	for range trips {
		conn.Write([]byte("abcd"))
		for i := range text {
			if _, err := io.ReadFull(conn, text[i:i+1]); err != nil {
				t.Fatal(err)
			}
		}
	}
	if took := time.Since(began); took < trips*delay {
		t.Errorf("%d round trips took %s", trips, took)
	}
}

func TestCPUTimeIsOfPostgresOnly(t *testing.T) {
	t.Parallel()
	if _, err := backendCPU(1); err == nil {
		t.Skip("process 1 is a Postgres here")
	}
	p := &Pool{pids: []uint32{1}}
	if _, err := p.CPUTime(); !errors.Is(err, ErrNoCPUTime) {
		t.Errorf("%v", err)
	}
}
