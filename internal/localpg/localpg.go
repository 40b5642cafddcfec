// Package localpg finds a Postgres server, or starts one.
//
// The demo and every test need a real Postgres, and should need no preparation. Open uses the
// server in DATABASE_URL. If that is not set, it starts a temporary server from the newest local
// installation or, without one, from a Docker image. Most callers need Open, CreateDatabase and
// Close.
//
// It never writes to the database that DATABASE_URL names. A server that it starts can be reached
// only from this machine and only with a random password, and ends with the process that started
// it, however that process ends.
package localpg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// OldestMajor is the oldest major version of Postgres that SendPromptly runs on.
const OldestMajor = 15

// startTimeout bounds the start of a local server. It usually takes a second or two, including
// initdb; a busy machine needs more.
const startTimeout = 60 * time.Second

// errNothingFound is one line because make and the demo print it unchanged.
var errNothingFound = errors.New("no Postgres found: set DATABASE_URL, or install PostgreSQL 15 or newer " +
	"(Debian, Ubuntu: apt-get install postgresql; macOS: brew install postgresql), or start Docker")

// Config says what kind of server Start starts. The zero value is right for tests and for the demo.
type Config struct {
	// Durable keeps Postgres's defaults for fsync, synchronous_commit and full_page_writes, and the
	// data on a disk, for measurements that must hold for a production server. By default they are
	// off, and data may be in memory: tests are several times faster, and nobody needs their data
	// after a crash.
	Durable bool
}

// Server is a Postgres server on which databases can be created. It is safe for concurrent use.
type Server struct {
	url     string
	version string

	process   *guarded // nil when somebody else runs the server
	closeOnce sync.Once
	closeErr  error
}

// Open returns the server in DATABASE_URL or, if that is not set, starts one (see [Start]). The
// caller closes it.
func Open(ctx context.Context) (*Server, error) {
	if url := os.Getenv("DATABASE_URL"); url != "" {
		return connect(ctx, url)
	}
	return Start(ctx, Config{})
}

// Start starts a temporary server, whether DATABASE_URL is set or not: from the newest local
// installation or, without one, in a Docker container. If there is neither, the error says in one
// line what to install. The caller closes the server.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	installed, err := findInstallation(ctx, installationFolders(ctx))
	if err == nil {
		return startInstalled(ctx, installed, cfg)
	}
	if dockerAnswers(ctx) {
		return startContainer(ctx, cfg)
	}
	return nil, err
}

// Find describes what Open would use, without starting anything. It returns the error that Open
// would return if there is nothing to use.
func Find(ctx context.Context) (string, error) {
	if os.Getenv("DATABASE_URL") != "" {
		return "the server of DATABASE_URL", nil
	}
	installed, err := findInstallation(ctx, installationFolders(ctx))
	if err == nil {
		return installed.version + " in " + installed.bin, nil
	}
	if dockerAnswers(ctx) {
		return dockerImage + " in a container", nil
	}
	return "", err
}

// connect returns a Server for a running Postgres, after checking that it answers.
func connect(ctx context.Context, url string) (*Server, error) {
	s := &Server{url: url}
	err := s.admin(ctx, func(conn *pgx.Conn) error {
		return conn.QueryRow(ctx, `SELECT split_part(current_setting('server_version'), ' ', 1)`).Scan(&s.version)
	})
	if err != nil {
		return nil, fmt.Errorf("localpg: connect: %w", err)
	}
	return s, nil
}

// URL is a connection string for the server's administrative database: the one DATABASE_URL names, or the database
// postgres of a started server. Nothing should be written there.
func (s *Server) URL() string { return s.url }

// Started reports whether this process started the server, so that Close will stop it.
func (s *Server) Started() bool { return s.process != nil }

// Version is the server's version, such as "17.6".
func (s *Server) Version() string { return s.version }

// Close stops the server and removes its data, if Start or Open started it. It may be called
// several times.
func (s *Server) Close() error {
	s.closeOnce.Do(func() {
		if s.process != nil {
			s.closeErr = s.process.stop()
		}
	})
	return s.closeErr
}

// settings are the server settings that differ from Postgres's defaults, as name=value.
func (c Config) settings() []string {
	s := []string{
		"max_connections=300", // many packages test in parallel, each test with a pool of its own
		"shared_buffers=256MB",
		"timezone=UTC",
	}
	if !c.Durable {
		s = append(s, "fsync=off", "synchronous_commit=off", "full_page_writes=off",
			"max_wal_size=256MB") // it may be kept in memory
	}
	return s
}
