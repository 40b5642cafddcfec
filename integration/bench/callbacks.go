package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/integration/bench/pg"
	"github.com/sendpromptly/sendpromptly/integration/bench/report"
	"github.com/sendpromptly/sendpromptly/internal/steps"
	"github.com/sendpromptly/sendpromptly/internal/store/projects"
	"github.com/sendpromptly/sendpromptly/internal/store/rooms"
)

// loopback is the network that callbacks may reach here although it is not public.
var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

// operator requests the repairs.
const operator = engine.Operator("bench")

// measureCallbacks reprocesses incidents and delivers their callbacks to an endpoint on loopback that answers at once.
func measureCallbacks(ctx context.Context, b *bench) error {
	pool, _, err := b.engineOn(ctx, "callbacks", 12)
	if err != nil {
		return err
	}
	defer pool.Close()
	endpoint, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler:           http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }),
		ReadHeaderTimeout: time.Second,
	}
	go func() { _ = server.Serve(endpoint) }() // ends with Close
	defer func() { _ = server.Close() }()
	e, err := callbackEngine(ctx, pool, "http://"+endpoint.Addr().String()+"/repair")
	if err != nil {
		return err
	}
	n := b.opts.sizes.callbacks
	reprocessed, err := reprocessAll(ctx, pool, e, n)
	if err != nil {
		return err
	}
	b.progress.Done(0.5)
	began := time.Now()
	sent, err := steps.Of(e).Deliver(ctx)
	took := time.Since(began)
	if err != nil {
		return err
	}
	accepted, err := count(ctx, pool, "SELECT count(*) FROM sendpromptly.entries WHERE kind = 'accepted'")
	b.report.Add(
		report.Row{Name: "reprocess", System: "ours", Value: float64(n) / reprocessed.Seconds(), Unit: "incidents/s, one caller"},
	)
	b.report.Add(
		report.Row{Name: "callbacks", System: "ours", Value: float64(sent) / took.Seconds(), Unit: "callbacks/s, one project"},
	)
	b.report.Add(
		report.Row{
			Name:   "callbacks_unanswered",
			System: "ours",
			Value:  float64(abs(n - accepted)),
			Unit:   "callbacks",
			Target: report.AtMost(0),
			Exact:  true,
		},
	)
	return err
}

// callbackEngine is an engine whose project has the repair URL url.
func callbackEngine(ctx context.Context, pool *pg.Pool, url string) (*engine.Engine, error) {
	s, err := rooms.Open(pool.Pool, "")
	if err != nil {
		return nil, err
	}
	if _, err := s.Projects.Set(ctx, "default", projects.Settings{RepairURL: &url}, loopback, operator); err != nil {
		return nil, err
	}
	if _, err := s.Projects.RotateCallbackSecret(ctx, "default", 0, operator); err != nil {
		return nil, err
	}
	return engine.New(ctx, pool.Pool, engine.Config{AllowNetworks: loopback, Logger: slog.New(slog.DiscardHandler)})
}

// reprocessAll opens n incidents and requests a repair of each.
func reprocessAll(ctx context.Context, pool *pg.Pool, e *engine.Engine, n int64) (time.Duration, error) {
	f := &filler{pool: pool}
	if err := f.write(ctx, n, awaiting, overdue(), nil); err != nil {
		return 0, err
	}
	if opened, err := steps.Of(e).Sweep(ctx); err != nil || int64(opened) != n {
		return 0, fmt.Errorf("%d of %d incidents opened: %w", opened, n, err)
	}
	var ids []engine.IncidentID
	for filter := (engine.IncidentFilter{Open: true, Limit: 500}); ; {
		page, err := e.Incidents(ctx, filter)
		if err != nil {
			return 0, err
		}
		for _, incident := range page.Incidents {
			ids = append(ids, incident.ID)
		}
		if filter.Before = page.Next; page.Next == "" {
			break
		}
	}
	began := time.Now()
	for _, id := range ids {
		if _, err := e.Reprocess(ctx, id, operator); err != nil {
			return 0, err
		}
	}
	return time.Since(began), nil
}
