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

// Kind is for whom a route answers, and so how it says no.
type Kind int

// The kinds.
const (
	// Page is for people: who is not logged in is sent to the login page.
	Page Kind = iota
	// API is for programs: errors are problem+json.
	API
	// Wire is the ingest API: its room authenticates and answers errors itself,
	// and no cookie is looked at.
	Wire
)

// Route is one line of the table of everything that the server answers. Tests
// walk the table, so that none is forgotten.
type Route struct {
	// Pattern is as http.ServeMux has it, below the base, with a method:
	// "GET /incidents/{id}". A path value named token is a secret: the path is
	// not logged then.
	Pattern string
	// Kind is Page by default.
	Kind Kind
	// Role is what an identity must have; 0 lets everybody in, and the handler
	// asks [access.From] itself where it matters.
	Role identity.Role
	// Recent asks for a login of the last 15 minutes, for keys, secrets, the
	// repair URL and operators.
	Recent bool
	// MaxBody bounds the body in bytes. Default: 64 KiB.
	MaxBody int64
	// Stream lifts the time limits, for server-sent events: the handler ends
	// with its context, which also ends when the server goes down or the reader
	// may no longer read, and sets a write deadline of its own. A stream is not
	// a use of the session: an open page keeps nobody logged in.
	Stream bool
	// Anywhere answers without the base's path too, for those who ask the
	// process and not the site.
	Anywhere bool
	// Probe is Anywhere, asks for nobody's identity, and is logged only when it fails.
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

// Deps are what every room works with. A room exports Routes(Deps) []Route and,
// where it has background work, Steps(Deps) []Step.
type Deps struct {
	Base Base
	Pool *pgxpool.Pool
	*rooms.Rooms
	Engines *engines.Engines
	// Proofs are the keys that sign and verify proofs; nil where there are none.
	Proofs *proofs.Keys
	// Login says that people log in here, at /login and /logout, and not at an
	// app that we are embedded in.
	Login bool
	// AllowNetworks are those that callbacks and alerts may reach although they are not public.
	AllowNetworks []netip.Prefix
	Logger        *slog.Logger
}
