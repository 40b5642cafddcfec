//go:build unix

package api_test

import (
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
	"github.com/sendpromptly/sendpromptly/internal/localpg"
)

// A crash of Postgres ends no stream: it goes on when Postgres is back, without
// a gap. The server is one of our own, because everybody's connections die.
func TestTheStreamOutlivesARestartOfPostgres(t *testing.T) {
	t.Parallel()
	server, err := localpg.Start(t.Context(), localpg.Config{Durable: true}) // what committed survives the crash
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	url := fine[string](t)(server.CreateDatabase(t.Context(), localpg.RandomName(localpg.TestPrefix), ""))
	pool := fine[*pgxpool.Pool](t)(pgxpool.New(t.Context(), url))
	t.Cleanup(pool.Close)
	fine[int](t)(0, engine.Migrate(t.Context(), pool))
	d := deployOn(t, &enginetest.Database{Pool: pool, URL: url})
	stream := d.listen("viewer", "", "")
	stream.until("opened", d.incident("default", "evt_before").ID)

	var pid int
	victim, bystander := fine[*pgx.Conn](t)(pgx.Connect(t.Context(), url)), fine[*pgx.Conn](t)(pgx.Connect(t.Context(), url))
	fine[int](t)(0, victim.QueryRow(t.Context(), "SELECT pg_backend_pid()").Scan(&pid))
	fine[int](t)(0, syscall.Kill(pid, syscall.SIGKILL)) // the postmaster ends all others and recovers
	// The app's pool is another one than the server's, which has to find out by itself.
	d.Pool = fine[*pgxpool.Pool](t)(pgxpool.New(t.Context(), url))
	t.Cleanup(d.Pool.Close)
	for end := time.Now().Add(30 * time.Second); bystander.Ping(t.Context()) == nil || d.Pool.Ping(t.Context()) != nil; {
		if time.Now().After(end) {
			t.Fatal("Postgres does not come back")
		}
	}
	d.engines["default"] = fine[*engine.Engine](t)(engine.New(d.Pool, engine.Config{}))
	stream.until("opened", d.incident("default", "evt_after").ID)
}
