package web

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/sendpromptly/sendpromptly/adminserver/internal/identity"
	"github.com/sendpromptly/sendpromptly/internal/store/access"
)

// readWithin limits the reading of a body, workWithin the work on an answer, and answerWithin also the
// writing of it, in any server that mounts us.
const (
	readWithin   = 15 * time.Second
	workWithin   = 25 * time.Second
	answerWithin = 30 * time.Second
)

// guarded refuses callers that its route does not allow.
type guarded struct {
	h     *Handler
	route Route
}

// ServeHTTP implements [http.Handler].
func (g *guarded) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h, route := g.h, g.route
	deadlines(w, time.Now().Add(readWithin), time.Now().Add(answerWithin))
	if r.ContentLength > route.MaxBody {
		w.Header().Set("Connection", "close")
		h.answer(w, r, route.Kind, New(http.StatusRequestEntityTooLarge, ""))
		return
	}
	if route.Stream && r.ContentLength != 0 { // it is never read
		w.Header().Set("Connection", "close")
	}
	r.Body = http.MaxBytesReader(w, r.Body, route.MaxBody)
	if route.Stream || r.Header.Get("X-Refresh") != "" { // sent by the page, not by its reader
		r = r.WithContext(access.Unused(r.Context()))
	}
	if !route.Stream {
		ctx, cancel := context.WithTimeout(r.Context(), workWithin)
		defer cancel()
		r = r.WithContext(ctx)
	}
	if route.Kind == Wire || route.Probe {
		route.Handler.ServeHTTP(w, r)
		return
	}
	if h.origin.Check(r) != nil {
		h.answer(w, r, route.Kind, New(http.StatusForbidden, "the request comes from another site"))
		return
	}
	r, admitted := h.admit(w, r, route)
	switch {
	case !admitted:
	case route.Stream:
		g.stream(w, r)
	default:
		route.Handler.ServeHTTP(w, r)
	}
}

// deadlines limit the exchange; zero removes the limits. A server without deadlines, as in tests, is its
// owner's choice.
func deadlines(w http.ResponseWriter, read, write time.Time) {
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(read)
	_ = control.SetWriteDeadline(write)
}

// admit identifies the caller and checks the permissions. It has answered the request if the caller is
// refused.
func (h *Handler) admit(w http.ResponseWriter, r *http.Request, route Route) (*http.Request, bool) {
	who, known, err := h.Authenticate(r)
	if err != nil {
		h.Logger.ErrorContext(r.Context(), "sendpromptly: a caller could not be authenticated",
			"request_id", RequestID(r.Context()), "error", err)
		if route.Role == 0 {
			return r, true
		}
		h.answer(w, r, route.Kind, New(http.StatusServiceUnavailable, "the caller could not be authenticated: try again"))
		return r, false
	}
	if !known {
		who = identity.Identity{}
	}
	if e := exchangeOf(r.Context()); e != nil {
		e.actor = who.Name
	}
	r = r.WithContext(identity.With(r.Context(), who))
	switch {
	case route.Role == 0:
		return r, true
	case !who.May(identity.Viewer):
		h.sendToLogin(w, r, route, New(http.StatusUnauthorized, "log in, or send a valid token"))
	case !who.May(route.Role):
		h.answer(w, r, route.Kind, New(http.StatusForbidden, "this requires the role "+route.Role.String()))
	case route.Recent && !who.Recent:
		h.sendToLogin(w, r, route, New(http.StatusForbidden, "this requires a login within the last 15 minutes: log in again"))
	default:
		return r, true
	}
	return r, false
}

// sendToLogin redirects people to the login page and back. A form is not redirected, because its content
// would be lost.
func (h *Handler) sendToLogin(w http.ResponseWriter, r *http.Request, route Route, p *Problem) {
	if p.Status == http.StatusUnauthorized && route.Kind == API {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	if route.Kind != Page || h.LoginPath == "" || r.Method != http.MethodGet && r.Method != http.MethodHead || route.Stream {
		h.answer(w, r, route.Kind, p)
		return
	}
	next := url.Values{"next": {r.URL.RequestURI()}}
	http.Redirect(w, r, h.Base.Path(h.LoginPath)+"?"+next.Encode(), http.StatusSeeOther)
}
