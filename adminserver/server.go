// Package adminserver is one http.Handler with everything that is not the
// library: the ingest API for apps that cannot share the transaction, the admin
// API, the console, and the page that proof links open. Mount it below the path
// of its base URL, and call Run beside it:
//
//	admin, err := adminserver.New(ctx, adminserver.Config{Pool: pool, BaseURL: "https://app.example.com/sendpromptly"})
//	…
//	mux.Handle("/sendpromptly/", admin)
//	go admin.Run(ctx)
//
// Operators log in by login links, tokens and OIDC, or Config.Authenticate identifies them. It runs no
// engine: any process may call engine.Run. `spadmin serve` is this handler and an engine in one program.
package adminserver

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"slices"

	"go.opentelemetry.io/otel"

	"github.com/sendpromptly/sendpromptly/adminserver/internal/console"
	"github.com/sendpromptly/sendpromptly/adminserver/internal/engines"
	"github.com/sendpromptly/sendpromptly/adminserver/internal/login"
	"github.com/sendpromptly/sendpromptly/adminserver/internal/mail"
	"github.com/sendpromptly/sendpromptly/adminserver/internal/metrics"
	"github.com/sendpromptly/sendpromptly/adminserver/internal/web"
	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/guardedhttp"
	"github.com/sendpromptly/sendpromptly/internal/named"
	"github.com/sendpromptly/sendpromptly/internal/store/rooms"
	"github.com/sendpromptly/sendpromptly/proofs"
)

// Server serves the parts that its [Config] names. It is safe for concurrent use and stores nothing outside
// Postgres.
type Server struct {
	cfg     Config
	deps    web.Deps
	handler *web.Handler
	steps   []web.Step
	// login is nil if the embedding app identifies the caller.
	login   *login.Login
	metrics *metrics.Metrics
	// close ends the streams, so that a server can stop.
	close context.CancelFunc
}

// New makes a server on a migrated database. A setting that cannot work gives an [*engine.FieldError]; a
// schema older than this build, or keys of proofs that cannot be read, an error. It reads the database once,
// within 5 seconds or until ctx ends, and starts nothing: see [Server.Run]. ctx is not stored.
//
// From the environment it reads what [engine.New] reads, and nothing else:
// SENDPROMPTLY_ALLOW_NETWORKS where Config.AllowNetworks is nil, and
// SENDPROMPTLY_SECRET_KEY where Config.SecretKey is empty.
func New(ctx context.Context, cfg Config) (*Server, error) {
	s, err := newServer(ctx, cfg)
	return s, named.Error("making the admin server", err)
}

func newServer(ctx context.Context, cfg Config) (*Server, error) {
	cfg, base, err := cfg.complete()
	if err != nil {
		return nil, err
	}
	st, err := rooms.Open(cfg.Pool, cfg.SecretKey)
	if err != nil {
		return nil, err
	}
	if err := ready(ctx, st); err != nil {
		return nil, err
	}
	keys := cfg.ProofKeySet
	if keys == nil && cfg.ProofKeys != "" {
		if keys, err = proofs.LoadKeys(cfg.ProofKeys); err != nil {
			return nil, fmt.Errorf("proof keys: %w", err)
		}
	}
	all := engines.New(cfg.Pool, engine.Config{AllowNetworks: cfg.AllowNetworks, SecretKey: cfg.SecretKey, Logger: cfg.Logger})
	s := &Server{cfg: cfg, deps: web.Deps{
		Base:          base,
		Pool:          cfg.Pool,
		Rooms:         st,
		Engines:       all,
		Proofs:        keys,
		AllowNetworks: cfg.AllowNetworks,
		Logger:        cfg.Logger,
	}}
	var closing context.Context
	closing, s.close = context.WithCancel(context.WithoutCancel(ctx))
	if s.metrics, err = metrics.New(s.deps, cfg.Registry); err != nil {
		return nil, err
	}
	options := web.Options{
		Observe: s.metrics.Observe, Base: base, Logger: cfg.Logger, Authenticate: cfg.Authenticate.inside(),
		TrustedProxies: cfg.TrustedProxies, Tracer: cfg.TracerProvider.Tracer("github.com/sendpromptly/sendpromptly/adminserver"),
		Closing: closing,
	}
	if cfg.Authenticate == nil {
		s.deps.Login = s.serves(PartConsole)
		if s.login, err = login.New(login.Config{Deps: s.deps, Mail: mail.SMTP(cfg.SMTP), OIDC: login.OIDC(cfg.OIDC)}); err != nil {
			return nil, err
		}
		if options.Authenticate = s.login.Authenticate; s.serves(PartConsole) {
			options.LoginPath = "/login"
		}
	}
	options.Pages = s.problems()
	if s.handler, err = web.NewHandler(options, s.rooms()); err != nil { //nolint:contextcheck // requests bring their own
		return nil, err
	}
	return s, nil
}

// problems shows errors to people: with a page of the console if that is served.
func (s *Server) problems() web.Answerer {
	if !s.serves(PartConsole) {
		return nil
	}
	return console.Problems(s.deps)
}

// complete fills in the defaults and refuses what could not work.
func (c Config) complete() (Config, web.Base, error) {
	pool, err := c.onlyCell()
	if err != nil {
		return c, web.Base{}, err
	}
	c.Pool = pool
	if c.AllowNetworks, err = c.allowed(); err != nil {
		return c, web.Base{}, err
	}
	base, err := web.ParseBase(c.BaseURL)
	if err != nil {
		return c, base, err
	}
	if len(c.Only) == 0 {
		c.Only = []Part{PartConsole, PartIngest, PartProof}
	}
	for _, part := range c.Only {
		if !slices.Contains([]Part{PartConsole, PartIngest, PartProof}, part) {
			return c, base, &engine.FieldError{
				Field:  "Config.Only",
				Reason: fmt.Sprintf("must contain only console, ingest and proof, not %q", part),
			}
		}
	}
	if err := mail.SMTP(c.SMTP).Validate(); err != nil {
		return c, base, err
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.TracerProvider == nil {
		c.TracerProvider = otel.GetTracerProvider()
	}
	return c, base, nil
}

// allowed are the non-public networks that may be reached, as in [engine.Config].
func (c Config) allowed() ([]netip.Prefix, error) {
	if c.AllowNetworks != nil {
		return c.AllowNetworks, nil
	}
	allow, err := guardedhttp.ParseAllow(os.Getenv("SENDPROMPTLY_ALLOW_NETWORKS"))
	if err != nil {
		return nil, &engine.FieldError{Field: "SENDPROMPTLY_ALLOW_NETWORKS", Reason: "is not a list of CIDRs: " + err.Error()}
	}
	return allow, nil
}

// ServeHTTP answers requests whose paths begin with the path of the base URL.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

func (s *Server) serves(part Part) bool { return slices.Contains(s.cfg.Only, part) }
