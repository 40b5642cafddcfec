package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/sendpromptly/sendpromptly/adminserver"
	"github.com/sendpromptly/sendpromptly/cmd/spadmin/cli"
	"github.com/sendpromptly/sendpromptly/engine"
)

type serveCommand struct {
	Listen         string      `help:"Address to listen on." default:"127.0.0.1:8787" env:"SENDPROMPTLY_LISTEN" placeholder:"HOST:PORT"`
	BaseURL        string      `name:"base-url" help:"The server's address for users. Its path is the prefix. Default: the listen address." env:"SENDPROMPTLY_BASE_URL" placeholder:"URL"`
	Only           []string    `help:"Serve only this part: console, ingest or proof. Repeatable." enum:"console,ingest,proof" env:"SENDPROMPTLY_ONLY" placeholder:"PART"`
	NoEngine       bool        `help:"Do not run the engine's steps." env:"SENDPROMPTLY_NO_ENGINE"`
	Embedded       bool        `help:"Start an embedded Postgres for a trial. PostgreSQL must be installed." env:"SENDPROMPTLY_EMBEDDED"`
	Data           string      `help:"Folder of the embedded Postgres. Default: in the user's data folder." env:"SENDPROMPTLY_DATA" placeholder:"FOLDER"`
	ProofKeys      string      `help:"Folder of the proof keys." env:"SENDPROMPTLY_PROOF_KEYS" placeholder:"FOLDER"`
	TLSCert        string      `name:"tls-cert" help:"Certificate chain in PEM, reloaded when it changes. Default: plain HTTP." env:"SENDPROMPTLY_TLS_CERT" placeholder:"FILE"`
	TLSKey         string      `name:"tls-key" help:"The certificate's key in PEM." env:"SENDPROMPTLY_TLS_KEY" placeholder:"FILE"`
	TrustedProxies string      `help:"Networks of the proxies whose X-Forwarded-For header is trusted." env:"SENDPROMPTLY_TRUSTED_PROXIES" placeholder:"CIDRS"`
	OIDC           oidcFlags   `embed:"" prefix:"oidc-" group:"Login with an identity provider"`
	SMTP           smtpFlags   `embed:"" prefix:"smtp-" group:"Mail, for login links and alerts"`
	Ingest         ingestFlags `embed:"" prefix:"ingest-" group:"Limits of the ingest API, per project"`
}

// The time limits of a request, and downWithin, the time that open requests have
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
func (c serveCommand) Run(s *cli.Session) error {
	cfg, err := c.config(s)
	if err != nil {
		return err
	}
	stop, err := c.embed(s)
	if err != nil {
		return err
	}
	defer stop()
	if cfg.Pool, err = s.Pool(); err != nil {
		return err
	}
	defer cfg.Pool.Close()
	listener, err := c.listen(s.Context)
	if err != nil {
		return err
	}
	defer func() { _ = listener.Close() }()
	if cfg.BaseURL == "" {
		cfg.BaseURL = c.scheme() + listener.Addr().String()
	}
	server, err := adminserver.New(s.Context, cfg)
	if err != nil {
		return err
	}
	work := []func(context.Context) error{server.Run}
	if !c.NoEngine {
		e, err := engine.New(s.Context, cfg.Pool, engine.Config{AllowNetworks: s.Allow, Logger: cfg.Logger})
		if err != nil {
			return err
		}
		work = append(work, e.Run)
	}
	if err := welcome(s, cfg, listener.Addr()); err != nil {
		return err
	}
	cli.Say(s.Stdout, "serving %s", cfg.BaseURL)
	return serve(s.Context, listener, newHTTPServer(server, cfg.Logger), work)
}

func newHTTPServer(handler http.Handler, logger *slog.Logger) *http.Server {
	return &http.Server{
		Handler: handler, ReadHeaderTimeout: headerWithin, ReadTimeout: readWithin, WriteTimeout: writeWithin,
		IdleTimeout: idleWithin, MaxHeaderBytes: maxHeader, ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
	}
}

// serve runs the HTTP server and the background work until ctx ends or the server
// fails. Open requests then have downWithin to end.
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
		err = errors.Join(server.Close(), fmt.Errorf("open requests were cut off %s after the interrupt", downWithin))
	}
	for range len(work) + 1 {
		select {
		case end := <-ended:
			err = errors.Join(err, end)
		case <-last.Done():
			return errors.Join(err, errors.New("background work did not stop in time"))
		}
	}
	return err
}
