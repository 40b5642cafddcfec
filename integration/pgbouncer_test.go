package integration

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
)

// Behind pgbouncer in transaction mode every transaction may get another server connection. Two server connections
// serve eight workers here, so that whatever counts on a session (a prepared statement, a setting, a lock) breaks.
func TestTheEngineBehindPgbouncer(t *testing.T) {
	program, err := exec.LookPath("pgbouncer")
	if err != nil {
		program = "/usr/sbin/pgbouncer"
	}
	if _, err := os.Stat(program); err != nil {
		t.Skip("pgbouncer is not installed")
	}
	for _, mode := range []pgx.QueryExecMode{
		pgx.QueryExecModeCacheDescribe, pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol,
	} {
		t.Run(mode.String(), func(t *testing.T) {
			db := enginetest.New(t)
			cfg, err := pgxpool.ParseConfig(startPgbouncer(t, program, db.URL))
			if err != nil {
				t.Fatal(err)
			}
			cfg.MaxConns = 16
			cfg.ConnConfig.DefaultQueryExecMode = mode
			pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer pool.Close()
			runFlows(t, pool)
			db.RequireSound()
		})
	}
}

// runFlows lets eight workers accept, apply and fail while an engine sweeps.
func runFlows(t *testing.T, pool *pgxpool.Pool) {
	t.Helper()
	e, err := engine.New(t.Context(), pool, engine.Config{SweepInterval: 10 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = e.Run(ctx) })
	var workers sync.WaitGroup
	for worker := range 8 {
		workers.Go(func() {
			for n := range 25 {
				if err := flow(t.Context(), pool, e, worker, n); err != nil {
					t.Errorf("worker %d, flow %d: %v", worker, n, err)
					return
				}
			}
		})
	}
	workers.Wait()
	stop()
	running.Wait()
	page, err := e.Incidents(t.Context(), engine.IncidentFilter{Open: true, Limit: 500})
	if err != nil || len(page.Incidents) != 8*5 {
		t.Errorf("%d open incidents, %v; want those of the 40 failures", len(page.Incidents), err)
	}
}

var errFifth = errors.New("every fifth fails")

func flow(ctx context.Context, pool *pgxpool.Pool, e *engine.Engine, worker, n int) error {
	k := engine.Key{Provider: "stripe", EventID: fmt.Sprintf("evt_%d_%d", worker, n), Effect: "credit_grant"}
	err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		_, err := e.Accept(ctx, tx, engine.Acceptance{Key: k, Subject: "acct_1", Objects: []string{"in_1", "ch_1"}})
		return err
	})
	if err != nil {
		return err
	}
	err = e.Apply(ctx, k, func(context.Context, pgx.Tx) error {
		if n%5 == 0 {
			return errFifth
		}
		return nil
	})
	if errors.Is(err, errFifth) {
		return nil
	}
	return err
}

// startPgbouncer puts a pgbouncer before the server of a database, for the length of the test, and returns the
// connection string through it.
func startPgbouncer(t *testing.T, program, databaseURL string) string {
	t.Helper()
	server, err := pgx.ParseConfig(databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	folder, err := os.MkdirTemp("", "sp-bouncer-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	port := freePort(t)
	config := fmt.Sprintf(
		"[databases]\n%s = host=%s port=%d user=%s password=%s\n[pgbouncer]\n"+
			"listen_addr = 127.0.0.1\nlisten_port = %d\nunix_socket_dir =\n"+
			"auth_type = any\npool_mode = transaction\ndefault_pool_size = 2\nmax_client_conn = 100\n"+
			"ignore_startup_parameters = extra_float_digits\n",
		server.Database,
		server.Host,
		server.Port,
		server.User,
		server.Password,
		port,
	)
	file := filepath.Join(folder, "pgbouncer.ini")
	if err := errors.Join(os.Chmod(folder, 0o755), os.WriteFile(file, []byte(config), 0o644)); err != nil {
		t.Fatal(err)
	}
	arguments := []string{file}
	if os.Geteuid() == 0 { // it refuses to run as root
		arguments = append(arguments, "-u", "nobody")
	}
	bouncer := exec.Command(program, arguments...)
	bouncer.Stdout, bouncer.Stderr = os.Stderr, os.Stderr
	if err := bouncer.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = bouncer.Process.Kill()
		_ = bouncer.Wait()
	})
	through := (&url.URL{
		Scheme: "postgres", User: url.User(server.User), Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)),
		Path: server.Database, RawQuery: "sslmode=disable",
	}).String()
	waitFor(t, through)
	return through
}

func freePort(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().(*net.TCPAddr).Port
}

// waitFor tries until a query is answered, for ten seconds at most.
func waitFor(t *testing.T, url string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	cfg.DefaultQueryExecMode = pgx.QueryExecModeExec
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := pgx.ConnectConfig(ctx, cfg)
		if err == nil {
			_ = conn.Close(ctx)
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("pgbouncer does not answer: %v", err)
		case <-tick.C:
		}
	}
}
