package localpg

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// open opens the server that the tests of a run share, or one of its own.
func open(t *testing.T) *Server {
	t.Helper()
	s, err := Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// create creates a database for one test.
func create(t *testing.T, s *Server, template string) (name, dsn string) {
	t.Helper()
	name = RandomName(TestPrefix)
	dsn, err := s.CreateDatabase(t.Context(), name, template)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.DropDatabase(context.Background(), name); err != nil {
			t.Error(err)
		}
	})
	return name, dsn
}

// execute runs sql on dsn.
func execute(t *testing.T, dsn, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}

func TestManyCopiesOfOneTemplateAtOnce(t *testing.T) {
	t.Parallel()
	s := open(t)
	template, dsn := create(t, s, "")
	execute(t, dsn, "CREATE TABLE copied AS SELECT 'original' AS word")
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			name := RandomName(TestPrefix)
			dsn, err := s.CreateDatabase(t.Context(), name, template)
			if err != nil {
				t.Error(err)
				return
			}
			if got := query(t, dsn, "SELECT word FROM copied"); got != "original" {
				t.Errorf("the copy holds %q", got)
			}
			if err := s.DropDatabase(t.Context(), name); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestCopyWaitsUntilTheTemplateIsLeft(t *testing.T) {
	t.Parallel()
	s := open(t)
	template, dsn := create(t, s, "")
	visitor, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	type result struct {
		name string
		err  error
	}
	copied := make(chan result, 1)
	go func() {
		name := RandomName(TestPrefix)
		_, err := s.CreateDatabase(t.Context(), name, template)
		copied <- result{name, err}
	}()
	// The visitor leaves once the copy waits for it.
	for query(t, s.URL(), "SELECT count(*)::text FROM pg_stat_activity WHERE query LIKE 'CREATE DATABASE%"+template+"\"'") == "0" {
		select {
		case r := <-copied:
			t.Fatalf("the copy did not wait: %v", r.err)
		default:
		}
	}
	if err := visitor.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	r := <-copied
	if r.err != nil {
		t.Fatal(r.err)
	}
	if err := s.DropDatabase(t.Context(), r.name); err != nil {
		t.Fatal(err)
	}
}

func TestDropEndsConnectionsAndMayBeRepeated(t *testing.T) {
	t.Parallel()
	s := open(t)
	name, dsn := create(t, s, "")
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.DropDatabase(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	if err := conn.Ping(t.Context()); err == nil {
		t.Error("the connection survived its database")
	}
}

func TestOnlyDatabasesOfOurOwnAreTouched(t *testing.T) {
	t.Parallel()
	s := open(t)
	for _, name := range []string{
		"", "postgres", "app", "x" + TestPrefix, TestPrefix + "a b", TestPrefix + `a"b`,
		TestPrefix + "A", TestPrefix + strings.Repeat("a", 63),
	} {
		if _, err := s.CreateDatabase(t.Context(), name, ""); err == nil {
			t.Errorf("created %q", name)
		}
		if err := s.DropDatabase(t.Context(), name); err == nil {
			t.Errorf("dropped %q", name)
		}
	}
}

func TestDatabaseURLIsUsedAndNotWrittenTo(t *testing.T) {
	server := open(t)
	named, dsn := create(t, server, "")
	t.Setenv("DATABASE_URL", dsn)
	s := open(t)
	if s.Started() || s.URL() != dsn || s.Version() != server.Version() {
		t.Errorf("started %v, version %s", s.Started(), s.Version())
	}
	const fingerprint = `SELECT (SELECT count(*) FROM pg_class) || ' ' || (SELECT count(*) FROM pg_proc) || ' ' ||
		(SELECT count(*) FROM pg_namespace) || ' ' || coalesce(tup_inserted + tup_updated + tup_deleted, 0)
		FROM pg_stat_database WHERE datname = current_database()`
	before := query(t, dsn, fingerprint)
	name, other := create(t, s, "")
	if got := query(t, other, "SELECT current_database()"); got != name {
		t.Errorf("connected to %s, want %s", got, name)
	}
	if err := s.DropDatabase(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	if err := s.DropDatabase(t.Context(), named); err == nil {
		t.Error("dropped the database of DATABASE_URL")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if after := query(t, dsn, fingerprint); after != before {
		t.Errorf("the named database changed: %s, was %s", after, before)
	}
}

func TestUnreachableDatabaseURLIsAnErrorWithoutThePassword(t *testing.T) {
	for form, dsn := range map[string]string{
		"a URL":           "postgres://u:sesame@127.0.0.1:1/app",
		"keywords":        "host=127.0.0.1 port=1 user=u password=sesame",
		"a malformed URL": "postgres://u:sesame@127.0.0.1:port/app",
	} {
		t.Run(form, func(t *testing.T) {
			t.Setenv("DATABASE_URL", dsn)
			_, err := Open(t.Context())
			if err == nil || strings.Contains(err.Error(), "sesame") {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestConnectionStringWithAnotherDatabase(t *testing.T) {
	t.Parallel()
	for _, dsn := range []string{
		"postgres://u:p%40w@h:6432/app?sslmode=disable",
		"postgresql://u:p%40w@h:6432/?dbname=app&sslmode=disable",
		"postgres://u:p%40w@h:6432?database=app&sslmode=disable",
		"host=h port=6432 user=u password='p@w' dbname=app sslmode=disable",
	} {
		t.Run(dsn, func(t *testing.T) {
			got, err := withDatabase(dsn, "other")
			if err != nil {
				t.Fatal(err)
			}
			cfg, err := pgconn.ParseConfig(got)
			if err != nil {
				t.Fatal(err)
			}
			if cfg.Database != "other" || cfg.Host != "h" || cfg.Port != 6432 || cfg.User != "u" || cfg.Password != "p@w" {
				t.Errorf("%s became %s", dsn, got)
			}
		})
	}
}

func TestCancelledCallsReturn(t *testing.T) {
	t.Parallel()
	s := open(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.CreateDatabase(ctx, RandomName(TestPrefix), ""); !errors.Is(err, context.Canceled) {
		t.Errorf("create: %v", err)
	}
	if err := s.DropDatabase(ctx, RandomName(TestPrefix)); !errors.Is(err, context.Canceled) {
		t.Errorf("drop: %v", err)
	}
}
