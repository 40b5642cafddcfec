package adminserver

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/sendpromptly/sendpromptly/adminserver/internal/web"
	"github.com/sendpromptly/sendpromptly/internal/store/rooms"
)

// readyWithin is the time limit of the database check.
const readyWithin = 2 * time.Second

// health are the routes for probes: healthz answers while the process runs, readyz while its database also
// answers and has the schema that this build needs.
func (s *Server) health() []web.Route {
	return []web.Route{
		{Pattern: "GET /healthz", Probe: true, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			say(w, http.StatusOK, "ok")
		})},
		{Pattern: "GET /readyz", Probe: true, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ctx, cancel := context.WithTimeout(r.Context(), readyWithin)
			defer cancel()
			if err := s.deps.Checks.Ready(ctx); err != nil {
				// The error may name hosts and users: it is for the log.
				s.cfg.Logger.WarnContext(ctx, "sendpromptly: the server is not ready", "request_id", web.RequestID(ctx), "error", err)
				say(
					w, http.StatusServiceUnavailable,
					"the database does not answer, or its schema is older than this build: run spadmin migrate up",
				)
				return
			}
			say(w, http.StatusOK, "ready")
		})},
	}
}

func say(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text+"\n")
}

// ready refuses a database that lacks what this build needs.
func ready(ctx context.Context, st *rooms.Rooms) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return st.Checks.Ready(ctx)
}
