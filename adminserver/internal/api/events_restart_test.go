//go:build unix

package api_test

import (
	"testing"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
	"github.com/sendpromptly/sendpromptly/internal/restartpg"
)

// A crash of Postgres ends no stream: it goes on when Postgres is back, without
// a gap.
func TestTheStreamOutlivesARestartOfPostgres(t *testing.T) {
	t.Parallel()
	postgres := restartpg.Start(t)
	d := deployOn(t, &enginetest.Database{Pool: postgres.Pool(), URL: postgres.URL})
	stream := d.listen("viewer", "", "")
	stream.until("opened", d.incident("default", "evt_before").ID)
	// The app's pool is another one than the server's, which has to find out by itself.
	d.Pool = postgres.Crash()
	d.engines["default"] = fine[*engine.Engine](t)(engine.New(t.Context(), d.Pool, engine.Config{}))
	stream.until("opened", d.incident("default", "evt_after").ID)
}
