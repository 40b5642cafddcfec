package adminserver_test

import (
	"context"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/signal"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sendpromptly/sendpromptly/adminserver"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
)

// region embed
func mountAdmin(ctx context.Context, mux *http.ServeMux, pool *pgxpool.Pool, who adminserver.Authenticate) error {
	admin, err := adminserver.New(ctx, adminserver.Config{Pool: pool, BaseURL: "https://app.example.com/ops", Authenticate: who})
	if err != nil {
		return err
	}
	mux.Handle("/ops/", admin)
	go admin.Run(ctx)
	return nil
}

// staff identifies the caller: here by a name that the app's proxy vouches for.
func staff(r *http.Request) (adminserver.Identity, bool, error) {
	name := r.Header.Get("X-Staff")
	return adminserver.Identity{Name: name, Role: adminserver.Operator, Recent: true}, name != "", nil
}

// endregion

// The console, the APIs and the proof page below one path of an app's own router. Without Authenticate, operators log in
// by links, tokens or OIDC.
func ExampleNew() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	pool, err := pgxpool.New(ctx, os.Getenv("DATABASE_URL"))
	if err != nil {
		log.Fatal(err)
	}
	admin, err := adminserver.New(ctx, adminserver.Config{
		Pool:      pool,
		BaseURL:   "https://app.example.com/ops",
		ProofKeys: "/etc/app/proof-keys",
	})
	if err != nil {
		log.Fatal(err)
	}
	http.Handle("/ops/", admin)
	go admin.Run(ctx) // alerts, sessions, proof keys; the engine is engine.Run's
	log.Fatal(http.ListenAndServe("localhost:8080", nil))
}

func TestAnAppMountsTheAdminServerAndSaysWhoAsks(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	if err := mountAdmin(t.Context(), mux, enginetest.New(t).Pool, staff); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int{"": http.StatusUnauthorized, "ada@example.com": http.StatusOK} {
		request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/ops/api/admin/v1/incidents", nil)
		request.Header.Set("X-Staff", name)
		answer := httptest.NewRecorder()
		if mux.ServeHTTP(answer, request); answer.Code != want {
			t.Errorf("%q is answered %d, want %d", name, answer.Code, want)
		}
	}
}
