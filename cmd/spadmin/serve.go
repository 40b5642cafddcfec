package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sendpromptly/sendpromptly/adminserver"
	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/guardedhttp"
	"github.com/sendpromptly/sendpromptly/proofs"
)

type serveCommand struct {
	Listen         string   `help:"Address to listen on." default:"127.0.0.1:8787" env:"SENDPROMPTLY_LISTEN" placeholder:"HOST:PORT"`
	BaseURL        string   `name:"base-url" help:"Where users reach the server; its path is the prefix. Default: http and the address." env:"SENDPROMPTLY_BASE_URL" placeholder:"URL"`
	Only           []string `help:"Serve a part alone: console, ingest or proof. Repeatable." enum:"console,ingest,proof" env:"SENDPROMPTLY_ONLY" placeholder:"PART"`
	NoEngine       bool     `help:"Leave the engine's steps to others." env:"SENDPROMPTLY_NO_ENGINE"`
	ProofKeys      string   `help:"Folder with the keys of proofs." env:"SENDPROMPTLY_PROOF_KEYS" placeholder:"FOLDER"`
	TrustedProxies string   `help:"Networks of the proxies in front, whose X-Forwarded-For names the client." env:"SENDPROMPTLY_TRUSTED_PROXIES" placeholder:"CIDRS"`
}

// How long the parts of an exchange may take, and how long the last ones have
// after an interrupt.
const (
	headerWithin = 5 * time.Second
	readWithin   = 15 * time.Second
	writeWithin  = 30 * time.Second
	idleWithin   = time.Minute
	downWithin   = 8 * time.Second
	maxHeader    = 16 << 10
)

// Run serves until interrupted.
func (c serveCommand) Run(s *session) error {
	pool, err := s.pool()
	if err != nil {
		return err
	}
	defer pool.Close()
	proxies, err := guardedhttp.ParseAllow(c.TrustedProxies)
	if err != nil {
		return &engine.FieldError{Field: "--trusted-proxies", Reason: err.Error()}
	}
	listener, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return hint{err, "another --listen, or who has the port?"}
	}
	defer func() { _ = listener.Close() }()
	if c.BaseURL == "" {
		c.BaseURL = "http://" + listener.Addr().String()
	}
	logger := slog.New(slog.NewTextHandler(s.stderr, nil))
	keys, err := keyFolder{c.ProofKeys}.optional()
	if err != nil {
		return err
	}
	server, err := adminserver.New(c.config(s, pool, proxies, keys, logger))
	if err != nil {
		return err
	}
	work := []func(context.Context) error{server.Run}
	if !c.NoEngine {
		e, err := engine.New(pool, engine.Config{AllowNetworks: s.allow, Logger: logger})
		if err != nil {
			return err
		}
		work = append(work, e.Run)
	}
	say(s.stdout, "serving %s", c.BaseURL)
	return serve(s.ctx, listener, newHTTPServer(server, logger), work)
}

func (c serveCommand) config(s *session, pool *pgxpool.Pool, proxies []netip.Prefix, keys *proofs.Keys, logger *slog.Logger) adminserver.Config {
	cfg := adminserver.Config{Pool: pool, BaseURL: c.BaseURL, ProofKeySet: keys, TrustedProxies: proxies, AllowNetworks: s.allow, Logger: logger}
	for _, part := range c.Only {
		cfg.Only = append(cfg.Only, adminserver.Part(part))
	}
	return cfg
}

func newHTTPServer(handler http.Handler, logger *slog.Logger) *http.Server {
	return &http.Server{Handler: handler, ReadHeaderTimeout: headerWithin, ReadTimeout: readWithin, WriteTimeout: writeWithin,
		IdleTimeout: idleWithin, MaxHeaderBytes: maxHeader, ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelDebug)}
}

// serve runs the HTTP server and the work beside it until ctx ends or the
// server cannot go on. Requests under way then have their time to end.
func serve(ctx context.Context, listener net.Listener, server *http.Server, work []func(context.Context) error) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, len(work)+1)
	go func() {
		err := server.Serve(listener)
		if errors.Is(err, http.ErrServerClosed) {
			err = nil
		}
		stop()
		ended <- err
	}()
	for _, run := range work {
		go func() { ended <- run(ctx) }()
	}
	<-ctx.Done()
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), downWithin)
	defer cancel()
	err := server.Shutdown(last)
	if errors.Is(err, context.DeadlineExceeded) {
		err = errors.Join(server.Close(), fmt.Errorf("requests were cut off: they took longer than %s after the interrupt", downWithin))
	}
	for range len(work) + 1 {
		select {
		case end := <-ended:
			err = errors.Join(err, end)
		case <-last.Done():
			return errors.Join(err, errors.New("background work did not end in time"))
		}
	}
	return err
}
