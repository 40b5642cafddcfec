package adminserver

import (
	"log/slog"
	"net/netip"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"github.com/sendpromptly/sendpromptly/adminserver/internal/access"
	"github.com/sendpromptly/sendpromptly/adminserver/internal/ingest"
	"github.com/sendpromptly/sendpromptly/adminserver/internal/login"
	"github.com/sendpromptly/sendpromptly/adminserver/internal/mail"
	"github.com/sendpromptly/sendpromptly/proofs"
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

// Authenticate finds out who sent a request. ok is false where nobody known
// did; err is for what kept it from finding out.
type Authenticate = access.Authenticate

// OIDC names an identity provider.
type OIDC = login.OIDC

// SMTP names the mail server.
type SMTP = mail.SMTP

// IngestLimits bound what one project may ask of the ingest API. The zero value
// takes the defaults.
type IngestLimits = ingest.Limits

// Config is how the server runs. Pool and BaseURL are required.
type Config struct {
	// Pool is connected to a migrated database.
	Pool *pgxpool.Pool
	// BaseURL is where users reach the server. Its path is the prefix that
	// requests come with.
	BaseURL string
	// Only are the parts to serve. Default: all.
	Only []Part
	// Authenticate is the embedding app's own answer to who asks. It takes the
	// place of sessions, login links, OIDC and tokens. Default: those.
	Authenticate Authenticate
	// OIDC lets people in whom an identity provider vouches for. Default: nobody.
	OIDC OIDC
	// SMTP mails login links and alerts. Default: neither is mailed.
	SMTP SMTP
	// IngestLimits bound the ingest API. Default: 64 KiB a body (512 KiB with
	// snapshots), 64 fields, 100 requests a second and 1,000 at once for each project.
	IngestLimits IngestLimits
	// ProofKeys is the folder with the keys that sign proofs. Default: no proofs.
	ProofKeys string
	// ProofKeySet are the keys in the place of a folder, such as one of a KMS or
	// HSM; see proofs.KeysFrom. The server reloads them every few seconds.
	ProofKeySet *proofs.Keys
	// TrustedProxies are the networks of the proxies in front, whose
	// X-Forwarded-For names the client. Default: none.
	TrustedProxies []netip.Prefix
	// Registry takes the metrics. Default: one of our own, served at /metrics.
	Registry *prometheus.Registry
	// TracerProvider makes the spans, one a request. Default: OpenTelemetry's
	// global one, which does nothing until an app sets it.
	TracerProvider trace.TracerProvider
	// AllowNetworks, SecretKey and Logger are as in engine.Config.
	AllowNetworks []netip.Prefix
	SecretKey     string
	Logger        *slog.Logger
}
