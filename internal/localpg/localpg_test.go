package localpg

import (
	"context"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
)

// start starts a server for one test.
func start(t *testing.T, cfg Config) *Server {
	t.Helper()
	s, err := Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// connection is one to dsn for the length of the test.
func connection(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// query returns the one text that sql yields on dsn.
func query(t *testing.T, dsn, sql string) string {
	t.Helper()
	conn := connection(t, dsn)
	var text string
	if err := conn.QueryRow(t.Context(), sql).Scan(&text); err != nil {
		t.Fatal(err)
	}
	return text
}

func TestStartedServer(t *testing.T) {
	t.Parallel()
	s := start(t, Config{}) // one for all: they are what this package is slow by
	t.Run("is fast and listens on loopback only", func(t *testing.T) { checkSettings(t, s) })
	t.Run("lets no stranger in", func(t *testing.T) { checkStrangers(t, s) })
	t.Run("stops at Close and leaves nothing", func(t *testing.T) { checkClose(t, s) })
}

func checkSettings(t *testing.T, s *Server) {
	t.Helper()
	if !s.Started() || s.Version() != query(t, s.URL(), "SHOW server_version")[:len(s.Version())] {
		t.Errorf("started %v, version %q", s.Started(), s.Version())
	}
	for setting, want := range map[string]string{
		"listen_addresses": "127.0.0.1", "fsync": "off", "synchronous_commit": "off", "server_encoding": "UTF8",
	} {
		if got := query(t, s.URL(), "SHOW "+setting); got != want {
			t.Errorf("%s = %s, want %s", setting, got, want)
		}
	}
}

func checkStrangers(t *testing.T, s *Server) {
	t.Helper()
	u, err := url.Parse(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword("postgres", "guess")
	socket := "user=postgres password=guess dbname=postgres host=" + folderOf(t, s) + " port=" + u.Port()
	for _, dsn := range []string{u.String(), socket} {
		conn, err := pgx.Connect(t.Context(), dsn)
		if err == nil {
			_ = conn.Close(t.Context())
		}
		if err == nil || !strings.Contains(err.Error(), "password authentication failed") {
			t.Errorf("a wrong password: %v", err)
		}
	}
	for _, folder := range []string{folderOf(t, s), filepath.Join(folderOf(t, s), "data")} {
		info, err := os.Stat(folder)
		if err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v %v, want 0700", folder, info.Mode(), err)
		}
	}
}

func checkClose(t *testing.T, s *Server) {
	t.Helper()
	folder := folderOf(t, s)
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(folder); !os.IsNotExist(err) {
		t.Errorf("%s is still there: %v", folder, err)
	}
	if conn, err := pgx.Connect(t.Context(), s.URL()); err == nil {
		_ = conn.Close(t.Context())
		t.Error("the server still answers")
	}
}

// folderOf returns the folder of a started server.
func folderOf(t *testing.T, s *Server) string {
	t.Helper()
	return filepath.Dir(query(t, s.URL(), "SHOW data_directory"))
}

func TestDurableServerKeepsItsPromises(t *testing.T) {
	t.Parallel()
	s := start(t, Config{Durable: true})
	for _, setting := range []string{"fsync", "synchronous_commit", "full_page_writes"} {
		if got := query(t, s.URL(), "SHOW "+setting); got != "on" {
			t.Errorf("%s = %s", setting, got)
		}
	}
}

func TestConcurrentFirstUsersShareOneCache(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("HOME", t.TempDir()) // for the systems that do not know XDG
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			s, err := Start(t.Context(), Config{})
			if err != nil {
				t.Error(err)
				return
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	i, err := findInstallation(t.Context(), installationFolders(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	kept, _ := filepath.Glob(filepath.Join(filepath.Dir(cacheFolder(i)), "*"))
	if len(kept) != 1 || kept[0] != cacheFolder(i) {
		t.Errorf("kept %q, want only %q", kept, cacheFolder(i))
	}
}

func TestDamagedCacheIsMadeAnew(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("HOME", t.TempDir())
	i, err := findInstallation(t.Context(), installationFolders(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(cacheFolder(i), "data"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(cacheFolder(i), "password"), []byte("lost"), 0o600); err != nil {
		t.Fatal(err)
	}
	start(t, Config{})
}

func TestStartEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if s, err := Start(ctx, Config{}); err == nil {
		_ = s.Close()
		t.Error("started under a cancelled context")
	}
}
