package web

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/sendpromptly/sendpromptly/adminserver/internal/identity"
	"github.com/sendpromptly/sendpromptly/internal/caught"
)

const (
	// askAgain is how often the reader of a stream is authenticated again, so that a reader who has lost
	// access gets no more events.
	askAgain = 15 * time.Second
	// maxStreams limits the streams of one identity, so that nobody can take all of them.
	maxStreams = 32
)

// streams counts the open streams of each identity.
type streams struct {
	mu   sync.Mutex
	open map[string]int
}

func (s *streams) enter(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[name] == maxStreams {
		return false
	}
	s.open[name]++
	return true
}

func (s *streams) leave(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[name]--; s.open[name] == 0 {
		delete(s.open, name)
	}
}

// stream answers with a stream, without time limits, until the server stops, or the reader leaves or loses
// access.
func (g *guarded) stream(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength != 0 { // the server would wait for it as long as the stream is open
		g.h.answer(w, r, g.route.Kind, New(http.StatusBadRequest, "this operation accepts no body"))
		return
	}
	who := identity.From(r.Context())
	if !g.h.streams.enter(who.Name) {
		g.h.answer(w, r, g.route.Kind, New(http.StatusServiceUnavailable, "too many streams are open"))
		return
	}
	defer g.h.streams.leave(who.Name)
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(g.h.Closing, cancel)() //nolint:contextcheck // the server's end, not the request's
	deadlines(w, time.Time{}, time.Time{})
	r = r.WithContext(ctx)
	go g.watch(r.Clone(ctx), who, cancel) // a separate request: the app may parse it
	g.route.Handler.ServeHTTP(w, r)
}

// ask authenticates the reader again. Outside a request, a panic of the app's own function would end the
// process.
func (g *guarded) ask(r *http.Request) (now identity.Identity, known bool, err error) {
	defer func() {
		if caught.Is(err) {
			caught.Log(r.Context(), g.h.Logger, slog.LevelError, "sendpromptly: the reader of a stream could not be authenticated",
				err, "request_id", RequestID(r.Context()))
		}
	}()
	defer caught.Panic(&err)
	return g.h.Authenticate(r)
}

// watch ends a stream whose reader's identity has changed since it began. While that cannot be checked, as
// during a restart of Postgres, the stream continues.
func (g *guarded) watch(r *http.Request, who identity.Identity, end context.CancelFunc) {
	for ticker := time.NewTicker(askAgain); ; {
		select {
		case <-r.Context().Done():
			ticker.Stop()
			return
		case <-ticker.C:
		}
		now, known, err := g.ask(r) //nolint:contextcheck // it is in the request
		if err == nil && (!known || !now.May(g.route.Role) || now.Name != who.Name || now.Project != who.Project) {
			end()
		}
	}
}
