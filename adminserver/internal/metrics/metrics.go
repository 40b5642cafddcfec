// Package metrics exports the state of the deployment and the server's requests to Prometheus. The state of
// the deployment comes from the database, so every server exports the same values: use the maximum over
// servers, not the sum.
package metrics

import (
	"context"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/sendpromptly/sendpromptly/adminserver/internal/identity"
	"github.com/sendpromptly/sendpromptly/adminserver/internal/web"
	"github.com/sendpromptly/sendpromptly/internal/caught"
	"github.com/sendpromptly/sendpromptly/internal/store/checks"
)

// askWithin limits the database queries of one scrape.
const askWithin = 5 * time.Second

// Metrics collects for one server.
type Metrics struct {
	web.Deps
	registry *prometheus.Registry
	requests *prometheus.HistogramVec

	// mu serializes scrapes: each count starts where the last one ended.
	mu      sync.Mutex
	mark    string
	settled checks.Counts
}

// New makes the collectors and registers them.
func New(d web.Deps, registry *prometheus.Registry) (*Metrics, error) {
	if registry == nil {
		registry = prometheus.NewRegistry()
	}
	m := &Metrics{Deps: d, registry: registry, requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "sendpromptly_http_request_duration_seconds", Help: "Duration of requests, by route.",
		Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10},
	}, []string{"route", "method", "status"})}
	if err := registry.Register(m.requests); err != nil {
		return nil, err
	}
	return m, registry.Register(m)
}

// Observe records an answer; route is a pattern, never a path.
func (m *Metrics) Observe(route, method string, status int, took time.Duration) {
	if route == "" {
		route = "none"
	}
	m.requests.WithLabelValues(route, method, strconv.Itoa(status)).Observe(took.Seconds())
}

// Step starts the counters, and keeps them from falling a week behind if nobody scrapes.
func (m *Metrics) Step() web.Step {
	return web.Step{Name: "count changes", Every: 10 * time.Minute, Do: func(ctx context.Context) error {
		_, err := m.count(ctx)
		return err
	}}
}

// Routes is /metrics. It is open to this machine, and to anyone who has a token.
func (m *Metrics) Routes() []web.Route {
	serve := promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 2 * askWithin})
	return []web.Route{
		{
			Pattern:  "GET /metrics",
			Kind:     web.API,
			Anywhere: true,
			Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if who := identity.From(r.Context()); !who.May(identity.Viewer) && !web.FromLoopback(r) || who.Project != "" {
					w.Header().Set("WWW-Authenticate", "Bearer")
					web.WriteProblem(
						w,
						r,
						web.New(
							http.StatusUnauthorized,
							"metrics require a token for all projects: create one with spadmin token create --role viewer",
						),
					)
					return
				}
				serve.ServeHTTP(w, r)
			}),
		},
	}
}

// gauge describes a metric without labels.
func gauge(name, help string) *prometheus.Desc {
	return prometheus.NewDesc("sendpromptly_"+name, help, nil, nil)
}

var (
	owed      = gauge("owed", "Effects that wait for their outcome, up to 100,001.")
	overdue   = gauge("overdue", "Effects whose deadline passed and that no sweep has processed, up to 100,001.")
	locked    = gauge("overdue_locked", "Overdue effects that the app has locked.")
	waiting   = gauge("callbacks_waiting", "Callbacks waiting to be sent or being sent, up to 100,001.")
	engines   = gauge("engines", "Engines seen within the last 30 seconds.")
	lag       = gauge("lag_seconds", "How long ago the oldest deadline of an unlocked effect passed.")
	sweep     = gauge("sweep_duration_seconds", "Longest duration of a last sweep among the running engines.")
	opened    = gauge("incidents_opened_total", "Incidents opened since this server started to count.")
	resolved  = gauge("incidents_resolved_total", "Incidents resolved by a success since this server started to count.")
	callbacks = prometheus.NewDesc(
		"sendpromptly_callbacks_total",
		"Callbacks sent since this server started to count, by outcome.",
		[]string{"outcome"},
		nil,
	)
	up = gauge("database_up", "1 if the database answered this scrape; if 0, the other metrics are absent.")
)

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{owed, overdue, locked, waiting, engines, lag, sweep, opened, resolved, callbacks, up} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (m *Metrics) Collect(to chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), askWithin)
	defer cancel()
	set := func(d *prometheus.Desc, value float64) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value)
	}
	var vitals checks.Vitals
	var sums checks.Counts
	// The registry collects in goroutines of its own, where a panic would end the process.
	err := caught.Call(func() (err error) {
		if vitals, err = m.Checks.Vitals(ctx); err == nil {
			sums, err = m.count(ctx)
		}
		return err
	})
	if err != nil {
		caught.Log(ctx, m.Logger, slog.LevelWarn, "sendpromptly: the metrics of the database could not be read", err)
		set(up, 0)
		return
	}
	set(up, 1)
	set(owed, float64(vitals.Owed))
	set(overdue, float64(vitals.Overdue))
	set(locked, float64(vitals.OverdueLocked))
	set(waiting, float64(vitals.CallbacksWaiting))
	set(engines, float64(vitals.Engines))
	set(lag, vitals.Lag.Seconds())
	set(sweep, vitals.Sweep.Seconds())
	add := func(d *prometheus.Desc, n int, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
	}
	add(opened, sums.Opened)
	add(resolved, sums.Resolved)
	for _, outcome := range []string{"accepted", "refused", "failed", "unreachable"} {
		add(callbacks, sums.Callbacks[outcome], outcome)
	}
}

// count adds what happened since the last call, and returns the sums.
func (m *Metrics) count(ctx context.Context) (checks.Counts, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t, err := m.Checks.Tally(ctx, m.mark)
	if err != nil {
		return checks.Counts{}, err
	}
	m.mark, m.settled = t.Mark, m.settled.Plus(t.Settled)
	return m.settled.Plus(t.Pending), nil
}
