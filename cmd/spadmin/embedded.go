package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/localpg"
)

// embed starts the embedded Postgres, if wanted, brings its schema up to date
// and makes it the session's database. stop ends it.
func (c serveCommand) embed(s *session) (stop func(), err error) {
	if !c.Embedded {
		return func() {}, nil
	}
	if s.databaseURL != "" {
		return nil, &engine.FieldError{Field: "--embedded", Reason: "and --database-url (or DATABASE_URL) exclude each other"}
	}
	folder := c.Data
	if folder == "" {
		folder = dataFolder()
	}
	server, err := localpg.StartKept(s.ctx, folder)
	if err != nil {
		return nil, err
	}
	stop = func() { _ = server.Close() }
	if err := migrateEmbedded(s.ctx, server.URL()); err != nil {
		stop()
		return nil, err
	}
	address := filepath.Join(folder, "database-url")
	if err := os.WriteFile(address, []byte(server.URL()+"\n"), 0o600); err != nil {
		stop()
		return nil, err
	}
	s.databaseURL = server.URL()
	say(s.stdout, "PostgreSQL %s in %s; apps and spadmin find it by the connection string in %s", server.Version(), folder, address)
	return stop, nil
}

func migrateEmbedded(ctx context.Context, url string) error {
	pool, err := pgxpool.New(ctx, url)
	if err != nil {
		return err
	}
	defer pool.Close()
	if err := engine.Migrate(ctx, pool); err != nil {
		return fmt.Errorf("migrating the embedded database: %w", err)
	}
	return nil
}

// dataFolder is where programs keep their data on this machine.
func dataFolder() string {
	if os.Geteuid() == 0 {
		return "/var/lib/sendpromptly"
	}
	if home, err := os.UserHomeDir(); err == nil {
		return filepath.Join(home, ".local", "share", "sendpromptly")
	}
	return "sendpromptly-data"
}
