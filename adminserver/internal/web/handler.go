package web

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/sendpromptly/sendpromptly/adminserver/internal/identity"
	"github.com/sendpromptly/sendpromptly/engine"
)

// Options are how a [Handler] guards its routes.
type Options struct {
	Base   Base
	Logger *slog.Logger
	// Authenticate identifies the caller. It is not called for [Wire] routes.
	Authenticate identity.Authenticate
	// Pages shows errors to people; nil means a plain page.
	Pages Answerer
	// LoginPath is the page below the base to which people without a login are redirected; "" answers 401
	// instead.
	LoginPath string
	// TrustedProxies are the networks whose X-Forwarded-For counts.
	TrustedProxies []netip.Prefix
	// Observe is called for every answer; route is "" if none matched.
	Observe func(route, method string, status int, took time.Duration)
	// Tracer starts one span per request; nil starts none.
	Tracer trace.Tracer
	// Closing ends the streams when it is done.
	Closing context.Context
}

// Handler serves a table of routes below a base.
type Handler struct {
	Options
	mux *http.ServeMux
	// anywhere are the paths that need no prefix.
	anywhere map[string]bool
	table    []Route
	origin   *http.CrossOriginProtection
	streams  streams
}

// NewHandler mounts the routes.
func NewHandler(o Options, routes []Route) (*Handler, error) {
	if o.Pages == nil {
		o.Pages = writePage
	}
	if o.Observe == nil {
		o.Observe = func(string, string, int, time.Duration) {}
	}
	if o.Closing == nil {
		o.Closing = context.Background()
	}
	h := &Handler{
		Options: o, mux: http.NewServeMux(), anywhere: map[string]bool{}, table: routes, origin: http.NewCrossOriginProtection(),
		streams: streams{open: map[string]int{}},
	}
	// Behind a proxy the Host may differ from what the browser sees.
	if err := h.origin.AddTrustedOrigin(o.Base.origin()); err != nil {
		return nil, err
	}
	for _, route := range routes {
		if route.Handler == nil || !strings.Contains(route.Pattern, " /") {
			return nil, &engine.FieldError{Field: "route " + route.Pattern, Reason: "needs a method, a path and a handler"}
		}
		if route.MaxBody == 0 {
			route.MaxBody = 64 << 10
		}
		if route.Probe || route.Anywhere {
			h.anywhere[route.path()] = true
		}
		h.mux.Handle(route.Pattern, &guarded{h, route})
	}
	return h, nil
}

// Routes is the table that was mounted.
func (h *Handler) Routes() []Route { return h.table }

// ServeHTTP answers requests below the base.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	inner, below := h.Base.strip(r)
	if h.anywhere[r.URL.Path] {
		inner, below = r, true
	}
	// The mux's own answers, such as a redirect to a cleaner path without the base, become a 404.
	found, _ := h.mux.Handler(inner)
	to, matched := found.(*guarded)
	if !matched || !below {
		to, matched = &guarded{h: h, route: Route{Kind: kindOf(inner.URL.Path)}}, false
	}
	e := h.begin(w, r, to.route)
	defer e.end()
	setHeaders(e.seen.Header(), h.Base.Secure())
	inner = inner.WithContext(e.ctx) //nolint:contextcheck // the request's, with its span
	if !matched {
		h.unmatched(e.seen, inner, below, to.route.Kind)
		return
	}
	h.mux.ServeHTTP(e.seen, inner)
}

// unmatched answers an unknown path, in the form of its neighbours.
func (h *Handler) unmatched(w http.ResponseWriter, r *http.Request, below bool, kind Kind) {
	problem := New(http.StatusNotFound, "")
	if below {
		said := &discarder{header: http.Header{}}
		h.mux.ServeHTTP(said, r)
		if said.status == http.StatusMethodNotAllowed {
			w.Header().Set("Allow", said.header.Get("Allow"))
			problem = New(http.StatusMethodNotAllowed, "")
		}
	}
	h.answer(w, r, kind, problem)
}

// answer writes an error in the form of a kind of route.
func (h *Handler) answer(w http.ResponseWriter, r *http.Request, kind Kind, p *Problem) {
	switch kind {
	case Wire:
		writeWire(w, r, p)
	case API:
		WriteProblem(w, r, p)
	default:
		h.Pages(w, r, p)
	}
}
