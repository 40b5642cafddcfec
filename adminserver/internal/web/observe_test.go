package web

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/sendpromptly/sendpromptly/adminserver/internal/identity"
)

// tracer keeps the spans that were started.
type tracer struct {
	noop.Tracer
	mu    sync.Mutex
	spans []*span
}

type span struct {
	noop.Span
	name       string
	attributes []attribute.KeyValue
	ended      bool
}

func (t *tracer) Start(ctx context.Context, name string, options ...trace.SpanStartOption) (context.Context, trace.Span) {
	t.mu.Lock()
	defer t.mu.Unlock()
	config := trace.NewSpanStartConfig(options...)
	s := &span{name: name, attributes: config.Attributes()}
	t.spans = append(t.spans, s)
	return trace.ContextWithSpan(ctx, s), s
}

func (s *span) SetAttributes(more ...attribute.KeyValue) {
	s.attributes = append(s.attributes, more...)
}
func (s *span) End(...trace.SpanEndOption) { s.ended = true }

func TestEachRequestIsASpanNamedByItsRoute(t *testing.T) {
	t.Parallel()
	base, err := ParseBase("http://ops.example.com")
	if err != nil {
		t.Fatal(err)
	}
	kept := &tracer{}
	var within trace.Span
	h, err := NewHandler(Options{
		Base: base, Logger: slog.New(slog.DiscardHandler), Tracer: kept,
		Authenticate: func(*http.Request) (identity.Identity, bool, error) { return identity.Identity{}, false, nil },
	},
		[]Route{{Pattern: "GET /login/{token}", Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			within = trace.SpanFromContext(r.Context())
		})}})
	if err != nil {
		t.Fatal(err)
	}
	ask(h, "GET", "/login/hunter2?code=hunter2")
	ask(h, "GET", "/nothing/hunter2")
	if len(kept.spans) != 2 || kept.spans[0].name != "GET /login/{token}" || kept.spans[1].name != "GET" ||
		within != trace.Span(kept.spans[0]) {
		t.Fatalf("%+v", kept.spans)
	}
	for _, s := range kept.spans {
		for _, a := range s.attributes {
			if a.Value.String() == "hunter2" {
				t.Errorf("%s holds a secret", a.Key)
			}
		}
		if !s.ended ||
			!slices.ContainsFunc(s.attributes, func(a attribute.KeyValue) bool { return a.Key == "http.response.status_code" }) {
			t.Errorf("%+v", s)
		}
	}
}
