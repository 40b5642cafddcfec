package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"time"

	"github.com/sendpromptly/sendpromptly/adminserver"
	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/integration/bench/pg"
	"github.com/sendpromptly/sendpromptly/integration/bench/report"
)

// page is an address of the console, and a text that its page must contain.
type page struct{ name, path, says string }

// measurePages requests the console's pages over the filled database, as a browser does, each in turns with a file
// behind the same guards. A bare `select 1` identifies the caller: so the file costs the guards and that one query, and
// a page costs its own queries and its rendering in addition.
func measurePages(ctx context.Context, b *bench) error {
	lists, err := b.filledLists(ctx)
	if err != nil {
		return err
	}
	return b.countScans(ctx, lists.url, "page_seq_scans", func() error { return b.timePages(ctx, lists) })
}

// timePages uses a pool of its own: closing it reports its work to the server's statistics.
func (b *bench) timePages(ctx context.Context, lists lists) error {
	pool, err := pg.Open(ctx, lists.url, 4)
	if err != nil {
		return err
	}
	defer pool.Close()
	e, err := engine.New(ctx, pool.Pool, engine.Config{})
	if err != nil {
		return err
	}
	pages, err := consolePages(ctx, e, lists.last)
	if err != nil {
		return err
	}
	site, stop, err := serveConsole(ctx, pool)
	if err != nil {
		return err
	}
	defer stop()
	front, err := site.get(ctx, "/incidents")
	if err != nil {
		return err
	}
	file := regexp.MustCompile(`/assets/mark[^"]*`).FindString(front)
	if file == "" {
		return fmt.Errorf("the page contains no file to compare with")
	}
	times, err := b.askInTurns(ctx, site, pages, page{path: file, says: "<svg"})
	if err != nil {
		return err
	}
	base := report.Quantile(times.file, 0.95)
	for i, p := range pages {
		slices.Sort(times.pages[i])
		p95 := report.Quantile(times.pages[i], 0.95)
		b.report.Add(
			report.Row{Name: "page_p95_" + p.name, System: "ours", Value: p95 / base, Unit: "x p95 of a select 1 behind the same guards"},
		)
		b.report.Add(report.Row{Name: "page_p95_ms_" + p.name, System: "ours", Value: p95, Unit: "ms"})
	}
	return nil
}

// pageTimes are milliseconds: those of the file sorted, those of each page as they came.
type pageTimes struct {
	file  []float64
	pages [][]float64
}

// askInTurns requests every page in every round, each after the file.
func (b *bench) askInTurns(ctx context.Context, site *site, pages []page, file page) (pageTimes, error) {
	times := pageTimes{pages: make([][]float64, len(pages))}
	const early = 10 // rounds in which Postgres still plans every query again
	rounds := b.opts.sizes.pageRounds + early
	for round := range rounds {
		for _, i := range report.Order(len(pages), round) {
			base, err := timed(ctx, func(ctx context.Context) error { return site.shows(ctx, file) })
			if err != nil {
				return times, err
			}
			took, err := timed(ctx, func(ctx context.Context) error { return site.shows(ctx, pages[i]) })
			if err != nil {
				return times, fmt.Errorf("%s: %w", pages[i].name, err)
			}
			if round >= early {
				times.file, times.pages[i] = append(times.file, base), append(times.pages[i], took)
			}
		}
		b.progress.Done(float64(round+1) / float64(rounds))
	}
	slices.Sort(times.file)
	return times, nil
}

// site is the console as a browser reaches it.
type site struct {
	url    string
	client http.Client
}

// serveConsole serves the admin server on this machine, with `select 1` as the check of the caller.
func serveConsole(ctx context.Context, pool *pg.Pool) (*site, func(), error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	s := &site{url: "http://" + listener.Addr().String()}
	admin, err := adminserver.New(ctx, adminserver.Config{
		Pool: pool.Pool, BaseURL: s.url, Logger: slog.New(slog.DiscardHandler),
		Authenticate: func(r *http.Request) (adminserver.Identity, bool, error) {
			var one int
			err := pool.QueryRow(r.Context(), "SELECT 1").Scan(&one)
			return adminserver.Identity{Name: "bench", Role: adminserver.Operator}, err == nil, err
		},
	})
	if err != nil {
		_ = listener.Close()
		return nil, nil, err
	}
	server := &http.Server{Handler: admin, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(listener) }()
	return s, func() { _ = server.Close() }, nil
}

func (s *site) get(ctx context.Context, path string) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+path, nil)
	if err != nil {
		return "", err
	}
	answer, err := s.client.Do(r)
	if err != nil {
		return "", err
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answers %s", path, answer.Status)
	}
	return string(body), err
}

// shows checks that a page contains its text: an empty page would be fast.
func (s *site) shows(ctx context.Context, p page) error {
	body, err := s.get(ctx, p.path)
	if err == nil && !regexp.MustCompile(p.says).MatchString(body) {
		err = fmt.Errorf("%s does not say %s", p.path, p.says)
	}
	return err
}

// consolePages are the pages that an operator reads. last is the number of the newest effect.
func consolePages(ctx context.Context, e *engine.Engine, last int64) ([]page, error) {
	found, err := e.Incidents(ctx, engine.IncidentFilter{Open: true, Limit: 500})
	if err != nil {
		return nil, err
	}
	if len(found.Incidents) == 0 {
		return nil, fmt.Errorf("the database has no open incident")
	}
	deep := found.Incidents[len(found.Incidents)/2]
	const row = "data-row="
	customer := fmt.Sprintf("cus_%014d", last-7)
	day := url.QueryEscape(deep.OpenedAt.UTC().Format(time.DateOnly))
	return []page{
		{"overview", "/", `class="figures"`},
		{"incidents_open", "/incidents", row},
		{"incidents_next", "/incidents?before=" + string(deep.ID), row},
		{"incidents_all", "/incidents?show=all", row},
		{"incidents_resolved", "/incidents?show=resolved", row},
		{"incidents_by_cause", "/incidents?cause=missing", row},
		{"incidents_by_provider", "/incidents?provider=stripe&effect=credit_grant", row},
		{"incidents_by_customer", "/incidents?show=all&customer=" + customer, row},
		{"incidents_by_day", "/incidents?show=all&from=" + day + "&to=" + day, row},
		{"incidents_search", "/incidents?show=all&q=" + customer, row},
		{"incidents_text", "/incidents?show=all&q=deadlock", "Nothing among the newest|No incident matches"},
		{"incident", "/incidents/" + string(deep.ID), `class="timeline"`},
		{"lookup", "/effects?q=" + customer, `class="timeline"`},
		{"lookup_event", fmt.Sprintf("/effects?q=evt_1H%022x", last-7), `class="timeline"`},
		{"lookup_unknown", "/effects?q=in_nobody", "No receipt has this id"},
		{"api_incidents", "/api/admin/v1/incidents?project=default&open=true", `"incidents":\[{`},
		{"api_incidents_next", "/api/admin/v1/incidents?project=default&open=true&cursor=" + string(deep.ID), `"incidents":\[{`},
	}, nil
}
