package proofpage

import (
	"bytes"
	"net/http"
	"net/netip"
	"sync"

	"golang.org/x/time/rate"

	"github.com/sendpromptly/sendpromptly/adminserver/internal/web"
)

// The limits per address: a reader who reloads never reaches them, but anyone who tries tokens does.
const (
	perSecond = 10
	burst     = 60
	// atOnce limits how many pages are rendered at the same time, for all addresses together.
	atOnce = 16
	// addresses limits how many addresses are remembered.
	addresses = 4096
)

// limits limits the work that strangers can cause.
type limits struct {
	mu     sync.Mutex
	by     map[netip.Addr]*rate.Limiter
	making chan struct{}
}

func newLimits() *limits {
	return &limits{by: map[netip.Addr]*rate.Limiter{}, making: make(chan struct{}, atOnce)}
}

// allow says whether an address may send a request now.
func (l *limits) allow(from netip.Addr) bool {
	if from.Is6() {
		if network, err := from.Prefix(64); err == nil {
			from = network.Addr()
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	limiter, known := l.by[from]
	if !known {
		if len(l.by) >= addresses {
			clear(l.by)
		}
		limiter = rate.NewLimiter(perSecond, burst)
		l.by[from] = limiter
	}
	return limiter.Allow()
}

// bounded accepts a request, or asks the caller to retry. The whole answer is rendered before it is written,
// so that a slow reader does not block others.
func (l *limits) bounded(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !l.allow(web.Client(r.Context())) {
			busy(w, http.StatusTooManyRequests)
			return
		}
		select {
		case l.making <- struct{}{}:
			made := &answer{ResponseWriter: w, status: http.StatusOK}
			func() {
				defer func() { <-l.making }()
				next(made, r)
			}()
			w.WriteHeader(made.status)
			_, _ = w.Write(made.body.Bytes()) // the reader may be gone
		case <-r.Context().Done():
			busy(w, http.StatusServiceUnavailable)
		}
	})
}

// answer buffers what is written.
type answer struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

// WriteHeader implements [http.ResponseWriter].
func (a *answer) WriteHeader(status int) { a.status = status }

// Write implements [http.ResponseWriter].
func (a *answer) Write(b []byte) (int, error) { return a.body.Write(b) }

func busy(w http.ResponseWriter, status int) {
	setHeaders(w.Header())
	w.Header().Set("Retry-After", "2")
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte("Please try again in a moment.\n"))
}
