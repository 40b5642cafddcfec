package adminserver_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sendpromptly/sendpromptly/adminserver"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
)

// angryHandler is a log handler that cannot take what it is told, and says for
// each record that it was told something.
type angryHandler struct {
	slog.Handler
	told func(slog.Record)
}

func (h angryHandler) Handle(_ context.Context, r slog.Record) error {
	h.told(r)
	panic("the disk is full")
}

// The steps go on although each of them fails, and the logger panics about it.
func TestALoggerThatPanicsDoesNotEndTheServer(t *testing.T) {
	t.Parallel()
	db := enginetest.New(t)
	pool, err := pgxpool.New(t.Context(), db.URL)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), 30*time.Second)
	defer stop()
	var mu sync.Mutex
	failed := map[string]int{}
	told := func(r slog.Record) {
		mu.Lock()
		defer mu.Unlock()
		r.Attrs(func(a slog.Attr) bool {
			if a.Key == "step" {
				failed[a.Value.String()]++
			}
			return true
		})
		if failed["plans"] >= 2 && failed["alerts"] >= 1 {
			stop()
		}
	}
	server, err := adminserver.New(t.Context(), adminserver.Config{
		Pool: pool, BaseURL: "http://127.0.0.1:8787",
		Logger: slog.New(angryHandler{slog.NewTextHandler(t.Output(), nil), told}),
	})
	if err != nil {
		t.Fatal(err)
	}
	pool.Close()
	if err := server.Run(ctx); err != nil {
		t.Errorf("Run = %v", err)
	}
	if failed["plans"] < 2 || failed["alerts"] < 1 {
		t.Errorf("the steps did not go on: %v", failed)
	}
}
