package localpg

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

const (
	// TestPrefix begins the name of every database that a test creates.
	TestPrefix = "sendpromptly_test_"
	// DemoPrefix begins the name of every database that the demo creates.
	DemoPrefix = "sendpromptly_demo_"
)

// cloneTries bounds the tries to copy a template that is in use. Postgres waits up to five seconds
// in each, so this is half a minute.
const cloneTries = 6

// RandomName returns a unique database name that starts with prefix (TestPrefix or DemoPrefix).
func RandomName(prefix string) string {
	return prefix + strings.ToLower(rand.Text()[:16])
}

// CreateDatabase creates a database and returns its connection string. The database is a copy of
// template, or empty if template is "". The name must start with TestPrefix or DemoPrefix. Any
// number of copies may be made at once. While the template is in use, it waits for at most half a
// minute.
func (s *Server) CreateDatabase(ctx context.Context, name, template string) (string, error) {
	if err := ours(name); err != nil {
		return "", err
	}
	dsn, err := withDatabase(s.url, name)
	if err != nil {
		return "", err
	}
	if template == "" {
		// template1 may contain additions of its owner, and is in use more often.
		template = "template0"
	}
	create := "CREATE DATABASE " + quote(name) + " TEMPLATE " + quote(template)
	err = s.admin(ctx, func(conn *pgx.Conn) error {
		for try := 1; ; try++ {
			_, err := conn.Exec(ctx, create)
			if !templateBusy(err) || try == cloneTries {
				return err
			}
			if err := pause(ctx, time.Duration(try)*20*time.Millisecond); err != nil {
				return err
			}
		}
	})
	if err != nil {
		return "", fmt.Errorf("localpg: create database %s: %w", name, err)
	}
	return dsn, nil
}

// DropDatabase drops a database made by CreateDatabase and ends the connections to it. It refuses
// every name that does not start with TestPrefix or DemoPrefix. It is not an error if the database
// does not exist.
func (s *Server) DropDatabase(ctx context.Context, name string) error {
	if err := ours(name); err != nil {
		return err
	}
	err := s.admin(ctx, func(conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, "DROP DATABASE IF EXISTS "+quote(name)+" WITH (FORCE)")
		return err
	})
	if err != nil {
		return fmt.Errorf("localpg: drop database %s: %w", name, err)
	}
	return nil
}

// admin runs f on a new connection to the administrative database. That takes a few milliseconds,
// while a copy takes sixty, and no broken connection remains after a cancelled statement.
func (s *Server) admin(ctx context.Context, f func(conn *pgx.Conn) error) error {
	cfg, err := pgx.ParseConfig(s.url)
	if err != nil {
		return err
	}
	// The simple protocol works behind every pooler, and nothing here is run twice.
	cfg.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	return f(conn)
}

// ours refuses a name that might be of a real database.
func ours(name string) error {
	if !strings.HasPrefix(name, TestPrefix) && !strings.HasPrefix(name, DemoPrefix) {
		return fmt.Errorf("localpg: database name %q must begin with %s or %s", name, TestPrefix, DemoPrefix)
	}
	if len(name) > 63 || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" {
		return fmt.Errorf("localpg: database name %q must be at most 63 of a-z, 0-9 and _", name)
	}
	return nil
}

// templateBusy reports whether err says that the template is in use (object_in_use).
func templateBusy(err error) bool {
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && pgErr.Code == "55006"
}

// withDatabase returns the connection string with another database. It accepts both forms of libpq.
func withDatabase(dsn, name string) (string, error) {
	if !strings.HasPrefix(dsn, "postgres://") && !strings.HasPrefix(dsn, "postgresql://") {
		return dsn + " dbname=" + name, nil // in a list of words the last one counts
	}
	u, err := url.Parse(dsn)
	if err != nil {
		return "", errors.New("localpg: DATABASE_URL is not a valid URL") // its error would print the password
	}
	query := u.Query()
	query.Del("dbname")
	query.Del("database")
	u.RawQuery = query.Encode()
	u.Path, u.RawPath = "/"+name, ""
	return u.String(), nil
}

// quote makes an SQL identifier of name.
func quote(name string) string { return pgx.Identifier{name}.Sanitize() }

// pause waits for d or for the end of ctx.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
