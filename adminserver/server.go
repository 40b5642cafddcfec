// Package adminserver is one http.Handler with everything that is not the
// library: the ingest API for apps that cannot share the transaction, the admin
// API, the console, and the page that proof links open. Mount it anywhere.
package adminserver

import (
	"fmt"
	"log/slog"
	"net/http"
	"slices"

	"github.com/sendpromptly/sendpromptly/adminserver/internal/web"
	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/store"
)

// Server serves the parts that its [Config] names. It is safe for concurrent
// use and keeps nothing that Postgres does not have.
type Server struct {
	cfg     Config
	base    web.Base
	store   *store.Store
	handler http.Handler
}

// New makes a server on a migrated database.
func New(cfg Config) (*Server, error) {
	if cfg.Pool == nil {
		return nil, &engine.FieldError{Field: "Config.Pool", Reason: "is nil"}
	}
	base, err := web.ParseBase(cfg.BaseURL)
	if err != nil {
		return nil, err
	}
	if len(cfg.Only) == 0 {
		cfg.Only = []Part{Console, Ingest, Proof}
	}
	for _, part := range cfg.Only {
		if !slices.Contains([]Part{Console, Ingest, Proof}, part) {
			return nil, &engine.FieldError{Field: "Config.Only", Reason: fmt.Sprintf("may hold console, ingest and proof, not %q", part)}
		}
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	st, err := store.New(cfg.Pool, cfg.SecretKey)
	if err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, base: base, store: st}
	s.handler = s.routes()
	return s, nil
}

// ServeHTTP answers requests whose paths begin with the path of the base URL.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// routes puts the parts together; each is mounted by a file of its own.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	return mux
}
