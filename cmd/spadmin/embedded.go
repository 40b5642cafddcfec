package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sendpromptly/sendpromptly/cmd/spadmin/cli"
	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/localpg"
)

// embed starts the embedded Postgres if --embedded is set. It migrates the schema
// and makes it the session's database. stop ends the server.
func (c serveCommand) embed(s *cli.Session) (stop func(), err error) {
	if !c.Embedded {
		return func() {}, nil
	}
	if s.DatabaseURL != "" {
		return nil, &engine.FieldError{
			Field:  "--embedded",
			Reason: "cannot be combined with --database-url or DATABASE_URL: use one of them",
		}
	}
	folder := c.Data
	if folder == "" {
		folder = dataFolder()
	}
	server, err := localpg.StartKept(s.Context, folder)
	if err != nil {
		return nil, err
	}
	stop = func() { _ = server.Close() }
	if err := migrateEmbedded(s.Context, server.URL()); err != nil {
		stop()
		return nil, err
	}
	address := filepath.Join(folder, "database-url")
	if err := os.WriteFile(address, []byte(server.URL()+"\n"), 0o600); err != nil {
		stop()
		return nil, err
	}
	s.DatabaseURL = server.URL()
	cli.Say(s.Stdout, "PostgreSQL %s in %s; the connection string for apps and spadmin is in %s", server.Version(), folder, address)
	return stop, nil
}

func migrateEmbedded(ctx context.Context, url string) error {
	pool, err := pgxpool.New(ctx, url)
	if err != nil {
		return err
	}
	defer pool.Close()
	if err := engine.Migrate(ctx, pool); err != nil {
		return fmt.Errorf("cannot migrate the embedded database: %w", err)
	}
	return nil
}

// dataFolder is the usual folder for program data on this machine.
func dataFolder() string {
	if os.Geteuid() == 0 {
		return "/var/lib/sendpromptly"
	}
	if home, err := os.UserHomeDir(); err == nil {
		return filepath.Join(home, ".local", "share", "sendpromptly")
	}
	return "sendpromptly-data"
}
