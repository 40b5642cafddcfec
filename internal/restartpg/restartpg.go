//go:build unix

// Package restartpg gives a test its own Postgres, which the test may crash.
package restartpg

import (
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/localpg"
)

// Server is a running Postgres with one migrated database.
type Server struct {
	t *testing.T
	// URL is the database's.
	URL string
}

// Start starts a server that keeps what committed through a crash. It ends with
// the test.
func Start(t *testing.T) *Server {
	t.Helper()
	postgres, err := localpg.Start(t.Context(), localpg.Config{Durable: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = postgres.Close() })
	url, err := postgres.CreateDatabase(t.Context(), localpg.RandomName(localpg.TestPrefix), "")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{t, url}
	if err := engine.Migrate(t.Context(), s.Pool()); err != nil {
		t.Fatal(err)
	}
	return s
}

// Pool is another pool of connections, which ends with the test.
func (s *Server) Pool() *pgxpool.Pool {
	s.t.Helper()
	pool, err := pgxpool.New(s.t.Context(), s.URL)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(pool.Close)
	return pool
}

// Crash kills one backend; Postgres then ends all others and recovers. It returns when they are
// dead and Postgres answers again, with a new pool.
func (s *Server) Crash() *pgxpool.Pool {
	s.t.Helper()
	victim, bystander := s.connect(), s.connect()
	var pid int
	if err := victim.QueryRow(s.t.Context(), "SELECT pg_backend_pid()").Scan(&pid); err != nil {
		s.t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		s.t.Fatal(err)
	}
	pool := s.Pool()
	for end := time.Now().Add(30 * time.Second); bystander.Ping(s.t.Context()) == nil ||
		pool.Ping(s.t.Context()) != nil; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			s.t.Fatal("Postgres does not come back")
		}
	}
	return pool
}

func (s *Server) connect() *pgx.Conn {
	s.t.Helper()
	conn, err := pgx.Connect(s.t.Context(), s.URL)
	if err != nil {
		s.t.Fatal(err)
	}
	return conn
}
