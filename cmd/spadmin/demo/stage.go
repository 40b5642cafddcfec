package demo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sendpromptly/sendpromptly/adminserver"
	"github.com/sendpromptly/sendpromptly/cmd/spadmin/demo/shop"
	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/localpg"
	"github.com/sendpromptly/sendpromptly/internal/store/projects"
	"github.com/sendpromptly/sendpromptly/internal/store/rooms"
)

// The two projects: billing repairs within the callback, the storefront queues
// its repairs.
const (
	billing    = "billing"
	storefront = "shop"
)

const (
	// timeout is the time until an effect's deadline in the demo.
	timeout       = 3 * time.Second
	sweepInterval = 200 * time.Millisecond
	workers       = 2
	// closeTimeout bounds each step of Close.
	closeTimeout = 20 * time.Second
)

// ada is the operator of the story.
const ada engine.Operator = "ada@example.com"

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

// Stage is what the demo runs: its own database, a shop on loopback, an admin
// server, and an engine for each of the shop's two projects.
type Stage struct {
	// Pool is connected to the demo's database, DatabaseURL is its connection
	// string. OwnServer says that the server was started for the demo.
	Pool        *pgxpool.Pool
	DatabaseURL string
	OwnServer   bool
	// BaseURL is the address of the shop.
	BaseURL string
	// AdminURL is the address of the console and of proof links.
	AdminURL string
	// Engines are the engines of the two projects, by name.
	Engines map[string]*engine.Engine

	tell     *narrator
	command  string
	books    shop.Books
	services map[string]*shop.Service
	store    *rooms.Rooms
	admin    *adminserver.Server
	sender   *sender
	// sent are the events that the shop accepted, expected the state that their
	// accounts must have at the end.
	sent     []event
	expected map[string]shop.Account
	closers  []func(context.Context) error
}

// Open starts the stage. The caller must close it; after an error, nothing is left
// to close.
func Open(ctx context.Context, options Options) (*Stage, error) {
	s := &Stage{
		tell: newNarrator(options.Story), Engines: map[string]*engine.Engine{}, services: map[string]*shop.Service{},
		expected: map[string]shop.Account{}, command: cmp.Or(options.Command, "spadmin"),
	}
	logger := options.Logger
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	s.tell.opening()
	err := s.openDatabase(ctx)
	if err == nil {
		err = s.openShop(ctx, logger, options.wrap)
	}
	if err == nil {
		err = s.openAdmin(ctx, logger)
	}
	if err == nil {
		err = s.pause(ctx, options.Pause)
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Close stops the shop and the engines and drops the database.
func (s *Stage) Close() error {
	var failures []error
	for len(s.closers) > 0 {
		last := len(s.closers) - 1
		ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
		failures = append(failures, s.closers[last](ctx))
		cancel()
		s.closers = s.closers[:last]
	}
	return errors.Join(failures...)
}

// atClose adds a step to Close, which runs the steps in reverse order.
func (s *Stage) atClose(step func(context.Context) error) { s.closers = append(s.closers, step) }

// openDatabase finds or starts Postgres and creates the demo's database.
func (s *Stage) openDatabase(ctx context.Context) error {
	server, err := localpg.Open(ctx)
	if err != nil {
		return err
	}
	s.atClose(func(context.Context) error { return server.Close() })
	s.OwnServer = server.Started()
	name := localpg.RandomName(localpg.DemoPrefix)
	// Drop it even if creating it fails: only the answer may have been lost.
	s.atClose(func(ctx context.Context) error { return server.DropDatabase(ctx, name) })
	if s.DatabaseURL, err = server.CreateDatabase(ctx, name, ""); err != nil {
		return err
	}
	cfg, err := pgxpool.ParseConfig(s.DatabaseURL)
	if err != nil {
		return errors.New("the connection string of the database is malformed") // the driver's error contains its password
	}
	// Connections for four workers, the webhooks, two engines and the transactions that hold locks.
	cfg.MaxConns = 20
	if s.Pool, err = pgxpool.NewWithConfig(ctx, cfg); err != nil {
		return err
	}
	s.atClose(func(context.Context) error { s.Pool.Close(); return nil })
	if err := engine.Migrate(ctx, s.Pool); err != nil {
		return err
	}
	s.books = shop.Books{Pool: s.Pool}
	if err := s.tell.setClock(ctx, s.Pool); err != nil {
		return err
	}
	s.tell.database(server, name)
	return shop.Install(ctx, s.Pool)
}

// openShop starts the two services behind one listener on loopback. Each has its
// own project and engine.
func (s *Stage) openShop(ctx context.Context, logger *slog.Logger, wrap func(http.Handler) http.Handler) (err error) {
	if s.store, err = rooms.Open(s.Pool, ""); err != nil {
		return err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.atClose(func(context.Context) error { _ = listener.Close(); return nil }) // the server has closed it already
	s.BaseURL = "http://" + listener.Addr().String()
	for _, project := range []string{billing, storefront} {
		if err := s.openService(ctx, project, logger); err != nil {
			return err
		}
	}
	s.sender = newSender(s.BaseURL)
	s.serve(listener, wrap)
	s.tell.shop(s.BaseURL)
	return nil
}

// openService creates a project and starts its engine and its workers.
func (s *Stage) openService(ctx context.Context, project string, logger *slog.Logger) error {
	repairURL, mode, owed := s.BaseURL+repairPath(project), "test", timeout
	settings := projects.Settings{
		Mode:           &mode,
		Timeout:        &owed,
		RepairURL:      &repairURL,
		PublicName:     &publicName,
		SupportContact: &supportContact,
	}
	if _, _, err := s.store.Projects.Create(ctx, project, settings, loopback, ada); err != nil {
		return err
	}
	effects, err := engine.New(ctx, s.Pool, engine.Config{
		Project: project, SweepInterval: sweepInterval,
		AllowNetworks: loopback, Logger: logger,
	})
	if err != nil {
		return err
	}
	s.Engines[project] = effects
	service := shop.New(project, s.Pool, effects, logger)
	s.services[project] = service
	s.atClose(func(context.Context) error { service.StopWorkers(); return nil })
	service.StartWorkers(workers)

	running, stop := context.WithCancel(context.Background())
	var ended sync.WaitGroup
	ended.Go(func() { _ = effects.Run(running) }) // it returns nil
	s.atClose(func(context.Context) error { stop(); ended.Wait(); return nil })
	return nil
}

func repairPath(project string) string { return "/" + project + "/sendpromptly/repair" }

// serve mounts the shop.
func (s *Stage) serve(listener net.Listener, wrap func(http.Handler) http.Handler) {
	mux := http.NewServeMux()
	mux.Handle("POST "+s.sender.path("stripe"), s.services[billing].StripeWebhook(s.sender.secret("stripe")))
	mux.Handle("POST "+s.sender.path("shopify"), s.services[storefront].ShopifyWebhook(s.sender.secret("shopify")))
	mux.Handle("POST "+repairPath(billing), s.services[billing].RepairNow())
	mux.Handle("POST "+repairPath(storefront), s.services[storefront].RepairQueued())
	var handler http.Handler = mux
	if wrap != nil {
		handler = wrap(handler)
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second}
	var ended sync.WaitGroup
	ended.Go(func() { _ = server.Serve(listener) }) // it ends by Shutdown
	s.atClose(func(ctx context.Context) error {
		s.sender.close()
		err := server.Shutdown(ctx)
		ended.Wait()
		if err != nil {
			return fmt.Errorf("cannot stop the shop: %w", err)
		}
		return nil
	})
}

// post delivers an event and requires the status want. A second post of the same
// event is a redelivery.
func (s *Stage) post(ctx context.Context, e event, want int) (delivery, error) {
	d, err := s.sender.post(ctx, e)
	if err == nil {
		err = d.want(want)
	}
	if err == nil && !slices.Contains(s.sent, e) {
		s.sent = append(s.sent, e)
	}
	return d, err
}

// awaitApplied waits until the effect of an event is applied.
func (s *Stage) awaitApplied(ctx context.Context, e event) error {
	err := until(ctx, func(ctx context.Context) (bool, error) {
		effect, err := s.Engines[e.project()].Find(ctx, e.key())
		return effect.State == engine.StateApplied, err
	})
	if err != nil {
		return fmt.Errorf("%s of %s was not applied: %w", e.eventType, e.account, err)
	}
	return nil
}
