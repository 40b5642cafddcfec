package adminserver

import (
	"log/slog"
	"net/netip"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sendpromptly/sendpromptly/adminserver/internal/access"
)

// Part is one of the server's rooms.
type Part string

// The parts. The console brings the admin API with it.
const (
	Console Part = "console"
	Ingest  Part = "ingest"
	Proof   Part = "proof"
)

// Identity is who asks, as the embedding app vouches for them.
type Identity = access.Identity

// Role is what an [Identity] may do.
type Role = access.Role

// The roles. A viewer reads; an operator acts on incidents; an admin changes
// projects, keys, secrets and operators.
const (
	Viewer   = access.Viewer
	Operator = access.Operator
	Admin    = access.Admin
)

// Config is how the server runs. Pool and BaseURL are required.
type Config struct {
	// Pool is connected to a migrated database.
	Pool *pgxpool.Pool
	// BaseURL is where users reach the server. Its path is the prefix that
	// requests come with.
	BaseURL string
	// Only are the parts to serve. Default: all.
	Only []Part
	// AllowNetworks, SecretKey and Logger are as in engine.Config.
	AllowNetworks []netip.Prefix
	SecretKey     string
	Logger        *slog.Logger
}
