package enginetest

import (
	"context"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/localpg"
)

// server is shared by the process. If we started it, it stops with the process.
var server = sync.OnceValues(func() (*localpg.Server, error) { return localpg.Open(context.Background()) })

func openServer(t testing.TB) *localpg.Server {
	t.Helper()
	s, err := server()
	if err != nil {
		t.Fatalf("enginetest: %v", err)
	}
	return s
}

// templates keeps one migrated database to copy while tests use copies of it, and drops it after
// the last test, so that nothing is left on a shared server.
var templates template

type template struct {
	mu    sync.Mutex
	users int
	name  string
}

// take returns the name of the template, which exists until the test ends.
func (m *template) take(t testing.TB) string {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.users == 0 {
		m.name = localpg.RandomName(localpg.TestPrefix)
		if err := makeTemplate(t.Context(), openServer(t), m.name); err != nil {
			t.Fatalf("enginetest: making the template database: %v", err)
		}
	}
	m.users++
	t.Cleanup(func() { m.release(t) })
	return m.name
}

func (m *template) release(t testing.TB) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.users--; m.users > 0 {
		return
	}
	if err := openServer(t).DropDatabase(context.Background(), m.name); err != nil {
		t.Errorf("enginetest: dropping the template database: %v", err)
	}
}

func makeTemplate(ctx context.Context, server *localpg.Server, name string) error {
	url, err := server.CreateDatabase(ctx, name, "")
	if err != nil {
		return err
	}
	pool, err := pgxpool.New(ctx, url)
	if err != nil {
		return err
	}
	defer pool.Close()
	return engine.Migrate(ctx, pool)
}
