// Package pg starts the server of a run with stated settings, and opens pools that count their round trips on the wire
// and the server's CPU time for them.
package pg

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sendpromptly/sendpromptly/internal/localpg"
)

// Stated are the settings that a run changes, in addition to those of localpg. Everything else is Postgres's own default:
// fsync, full_page_writes and autovacuum are on, and a commit waits for the disk.
var Stated = map[string]string{
	"checkpoint_timeout":   "1h",    // checkpoints happen between the parts, not within them
	"max_wal_size":         "4GB",   // part of the 25 GB that a run may use
	"maintenance_work_mem": "256MB", // vacuum and index builds between the parts
}

// Told are the settings that the report prints for its readers.
var Told = []string{
	"server_version",
	"shared_buffers",
	"work_mem",
	"effective_cache_size",
	"max_connections",
	"wal_level",
	"fsync",
	"synchronous_commit",
	"full_page_writes",
	"wal_compression",
	"max_wal_size",
	"checkpoint_timeout",
	"maintenance_work_mem",
	"autovacuum",
	"random_page_cost",
	"jit",
	"data_checksums",
	"huge_pages",
}

// Server is the run's Postgres.
type Server struct {
	local *localpg.Server
	admin *pgxpool.Pool
}

// Start starts a server that is as durable as a production one. The settings in more add to Stated or override it.
func Start(ctx context.Context, more map[string]string) (*Server, error) {
	local, err := localpg.Start(ctx, localpg.Config{Durable: true})
	if err != nil {
		return nil, err
	}
	s := &Server{local: local}
	if err := s.prepare(ctx, more); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Server) prepare(ctx context.Context, more map[string]string) (err error) {
	if s.admin, err = pgxpool.New(ctx, s.local.URL()); err != nil {
		return err
	}
	settings := maps.Clone(Stated)
	maps.Copy(settings, more)
	return s.Set(ctx, settings)
}

// Set changes settings of the whole server and waits until running sessions use them.
func (s *Server) Set(ctx context.Context, settings map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		if err := s.alter(ctx, fmt.Sprintf("SET %s = '%s'", pgx.Identifier{name}.Sanitize(), settings[name])); err != nil {
			return fmt.Errorf("setting %s: %w", name, err)
		}
	}
	return s.reload(ctx)
}

// With runs work under other settings and then restores the previous ones.
func (s *Server) With(ctx context.Context, settings map[string]string, work func() error) error {
	before := map[string]string{}
	for name := range settings {
		var value string
		if err := s.admin.QueryRow(ctx, "SELECT current_setting($1)", name).Scan(&value); err != nil {
			return err
		}
		before[name] = value
	}
	if err := s.Set(ctx, settings); err != nil {
		return err
	}
	return errors.Join(work(), s.Set(context.WithoutCancel(ctx), before))
}

func (s *Server) alter(ctx context.Context, what string) error {
	_, err := s.admin.Exec(ctx, "ALTER SYSTEM "+what)
	return err
}

// reload waits a moment, because a session reads the new settings only when the signal has reached it.
func (s *Server) reload(ctx context.Context) error {
	if _, err := s.admin.Exec(ctx, "SELECT pg_reload_conf()"); err != nil {
		return err
	}
	time.Sleep(200 * time.Millisecond)
	return nil
}

// Checkpoint writes all dirty pages, so that no measurement includes them.
func (s *Server) Checkpoint(ctx context.Context) error {
	_, err := s.admin.Exec(ctx, "CHECKPOINT")
	return err
}

// Settings are the server's settings, for the report.
func (s *Server) Settings(ctx context.Context) (map[string]string, error) {
	rows, err := s.admin.Query(ctx, "SELECT name, current_setting(name) FROM pg_settings WHERE name = ANY ($1)", Told)
	if err != nil {
		return nil, err
	}
	settings := map[string]string{}
	var name, value string
	_, err = pgx.ForEachRow(rows, []any{&name, &value}, func() error {
		settings[name] = value
		return nil
	})
	return settings, err
}

// DiskBytes is the current size of the databases and the log.
func (s *Server) DiskBytes(ctx context.Context) (bytes int64, err error) {
	err = s.admin.QueryRow(
		ctx,
		`SELECT (SELECT sum(pg_database_size(oid)) FROM pg_database) + (SELECT sum(size) FROM pg_ls_waldir())`,
	).
		Scan(&bytes)
	return bytes, err
}

// WAL is how far the log has been written, in bytes.
func (s *Server) WAL(ctx context.Context) (bytes int64, err error) {
	err = s.admin.QueryRow(ctx, `SELECT (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint`).Scan(&bytes)
	return bytes, err
}

// NewDatabase creates an empty database and opens a pool of at most conns connections on it.
func (s *Server) NewDatabase(ctx context.Context, conns int) (*Pool, error) {
	url, err := s.local.CreateDatabase(ctx, localpg.RandomName(localpg.TestPrefix), "")
	if err != nil {
		return nil, err
	}
	return Open(ctx, url, conns)
}

// Close stops the server and removes its data.
func (s *Server) Close() {
	if s.admin != nil {
		s.admin.Close()
	}
	_ = s.local.Close() // the process ends next, and the server with it
}
