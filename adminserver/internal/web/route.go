package web

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sendpromptly/sendpromptly/adminserver/internal/engines"
	"github.com/sendpromptly/sendpromptly/adminserver/internal/identity"
	"github.com/sendpromptly/sendpromptly/internal/store/rooms"
	"github.com/sendpromptly/sendpromptly/proofs"
)

// Kind is the kind of a route's callers, and so the form of its errors.
type Kind int

// The kinds.
const (
	// Page is for people: anyone who is not logged in is redirected to the login page.
	Page Kind = iota
	// API is for programs: errors are problem+json.
	API
	// Wire is the ingest API: its room authenticates and answers errors itself, and ignores cookies.
	Wire
)

// Route is one line of the table of everything that the server answers. Tests
// walk the table, so that none is forgotten.
type Route struct {
	// Pattern is a pattern of http.ServeMux, below the base, with a method: "GET /incidents/{id}". A path
	// value named token is a secret: the path is not logged then.
	Pattern string
	// Kind is Page by default.
	Kind Kind
	// Role is the required role; 0 allows everybody, and the handler checks [access.From] itself if needed.
	Role identity.Role
	// Recent requires a login within the last 15 minutes, for keys, secrets, the repair URL and operators.
	Recent bool
	// MaxBody limits the body in bytes. Default: 64 KiB.
	MaxBody int64
	// Stream removes the time limits, for server-sent events. The handler ends with its context, which also
	// ends when the server stops or the reader loses access, and sets its own write deadline. A stream does
	// not use the session: an open page keeps nobody logged in.
	Stream bool
	// Anywhere also answers without the base's path, for callers that address the process and not the site.
	Anywhere bool
	// Probe includes Anywhere, needs no identity, and is logged only when it fails.
	Probe bool
	// Handler answers.
	Handler http.Handler
}

// Step is background work: Do is one bounded pass, called again Every so often.
type Step struct {
	Name  string
	Every time.Duration
	Do    func(context.Context) error
}

// Deps are the dependencies of every room. A room exports Routes(Deps) []Route and, if it has background
// work, Steps(Deps) []Step.
type Deps struct {
	Base Base
	Pool *pgxpool.Pool
	*rooms.Rooms
	Engines *engines.Engines
	// Proofs are the keys that sign and verify proofs; nil if there are none.
	Proofs *proofs.Keys
	// Login says that people log in here, at /login and /logout, and not at the embedding app.
	Login bool
	// AllowNetworks are non-public networks that callbacks and alerts may reach.
	AllowNetworks []netip.Prefix
	Logger        *slog.Logger
}
