package web

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// exchange is one request and its answer, for the log, the metrics and the trace.
type exchange struct {
	h       *Handler
	ctx     context.Context
	request *http.Request
	route   Route
	seen    *recorder
	id      string
	actor   string
	began   time.Time
	span    trace.Span
}

type exchangeKey struct{}

func exchangeOf(ctx context.Context) *exchange {
	e, _ := ctx.Value(exchangeKey{}).(*exchange)
	return e
}

// RequestID is the id of a request, in the answer's X-Request-Id and as request_id in its log lines; ""
// outside a request.
func RequestID(ctx context.Context) string {
	if e := exchangeOf(ctx); e != nil {
		return e.id
	}
	return ""
}

// Client is the address of the request's client, as trusted proxies report it; invalid if there is none.
func Client(ctx context.Context) netip.Addr {
	if e := exchangeOf(ctx); e != nil {
		return ClientAddress(e.request, e.h.TrustedProxies)
	}
	return netip.Addr{}
}

// begin gives the request an id and a span, in the caller's trace if there is one.
func (h *Handler) begin(w http.ResponseWriter, r *http.Request, route Route) *exchange {
	e := &exchange{
		h: h, request: r, route: route, seen: &recorder{ResponseWriter: w}, id: strings.ToLower(rand.Text()[:16]),
		began: time.Now(), span: noop.Span{},
	}
	e.ctx = context.WithValue(r.Context(), exchangeKey{}, e)
	if h.Tracer != nil {
		e.ctx = otel.GetTextMapPropagator().Extract(e.ctx, propagation.HeaderCarrier(r.Header))
		e.ctx, e.span = h.Tracer.Start(e.ctx, strings.TrimSpace(method(r)+" "+route.path()), trace.WithSpanKind(trace.SpanKindServer),
			trace.WithAttributes(attribute.String("http.request.method", method(r)), attribute.String("http.route", route.path()),
				attribute.String("sendpromptly.request_id", e.id)))
	}
	e.seen.Header().Set("X-Request-Id", e.id)
	return e
}

// end is deferred: it turns a panic into an answer, and reports.
func (e *exchange) end() {
	failure := recover()
	aborted := failure == http.ErrAbortHandler //nolint:errorlint // net/http compares it like this
	if failure != nil && !aborted {
		e.h.Logger.ErrorContext(e.ctx, "sendpromptly: a request panicked",
			"request_id", e.id, "route", e.route.path(), "panic", fmt.Sprint(failure), "stack", stack())
		if aborted = e.seen.status != 0; !aborted {
			e.h.answer(e.seen, e.request, e.route.Kind, New(http.StatusInternalServerError, "request "+e.id))
		}
	}
	e.report()
	if aborted {
		panic(http.ErrAbortHandler) // half an answer was sent: the connection must be aborted
	}
}

// report writes the access log, the metrics and the span. The log holds the
// route and, unless it is a secret, the path; never the query or a header.
func (e *exchange) report() {
	if e.seen.status == 0 {
		e.seen.status = http.StatusOK
	}
	status, took, route := e.seen.status, time.Since(e.began), e.route.path()
	attrs := []slog.Attr{
		slog.String("request_id", e.id), slog.String("method", method(e.request)), slog.String("route", route),
		slog.Int("status", status), slog.Int64("bytes", e.seen.bytes), slog.Duration("took", took),
	}
	if client := ClientAddress(e.request, e.h.TrustedProxies); client.IsValid() {
		attrs = append(attrs, slog.String("client", client.String()))
	}
	if route != "" && !strings.Contains(route, "{token") && len(e.request.URL.Path) <= 255 {
		attrs = append(attrs, slog.String("path", e.request.URL.Path))
	}
	if e.actor != "" {
		attrs = append(attrs, slog.String("actor", e.actor))
	}
	level := slog.LevelInfo
	if status >= 500 {
		level = slog.LevelError
		e.span.SetStatus(codes.Error, http.StatusText(status))
	}
	if !e.route.Probe || status >= 500 {
		e.h.Logger.LogAttrs(e.ctx, level, "sendpromptly: request", attrs...)
	}
	e.h.Observe(route, method(e.request), status, took)
	e.span.SetAttributes(attribute.Int("http.response.status_code", status))
	e.span.End()
}

// path is the route's pattern without its method.
func (r Route) path() string {
	_, path, _ := strings.Cut(r.Pattern, " ")
	return path
}

// method limits the values in metrics and logs.
func method(r *http.Request) string {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return r.Method
	}
	return "other"
}

// stack is the part of a stack that is enough to find the line.
func stack() string {
	const most = 8 << 10
	text := debug.Stack()
	return string(text[:min(len(text), most)])
}
