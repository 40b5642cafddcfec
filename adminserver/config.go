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

// Identity is who asks, as the embedding app vouches for them: its Name enters
// timelines and the audit log, its Role says what it may do, its Project is the
// only one that it sees ("" for all), and Recent says that it logged in within
// the last 15 minutes, which keys, secrets, repair URLs and operators need. The
// zero value may nothing.
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

// Authenticate is func(*http.Request) (who Identity, ok bool, err error). It
// finds out who sent a request. ok is false where nobody known did; err is for
// what kept it from finding out, and is answered with 503.
type Authenticate = access.Authenticate

// OIDC names an identity provider: its Issuer, our ClientID and ClientSecret
// there, the RoleClaim ("roles") that gives roles and how its values map to them
// (Roles), the EmailClaim ("email"), and Scopes (email and profile). The
// redirect URI to register is the base URL with /login/oidc/callback.
type OIDC = login.OIDC

// SMTP names the mail server: its Address (host:port; port 465 speaks TLS from
// the start, every other one by STARTTLS), Username and Password where it wants
// them, and From, the sender. Plain sends without TLS where the server offers
// none: on this machine only.
type SMTP = mail.SMTP

// IngestLimits bound what one project may ask of the ingest API: the bytes of a
// Body (64 KiB) and of a SnapshotBody (512 KiB, where the project keeps payloads),
// its top-level Fields (64), and requests to this process, Rate a second (100)
// and Burst at once (1,000). Zero takes the default.
type IngestLimits = ingest.Limits

// Config is how the server runs. A database (Pool or Cells) and BaseURL are required.
type Config struct {
	// Pool is connected to a migrated database. It is the short form of one cell
	// without a name.
	Pool *pgxpool.Pool
	// Cells are the databases that the server stands on, in the place of Pool. More
	// than one is not supported yet. Default: Pool.
	Cells []Cell
	// BaseURL is where users reach the server. Its path is the prefix that
	// requests come with.
	BaseURL string
	// Only are the parts to serve. Default: all.
	Only []Part
	// Authenticate is the embedding app's own answer to who asks. It takes the
	// place of sessions, login links, OIDC and tokens, and is asked again every 15
	// seconds for as long as a page is live. Default: those.
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
