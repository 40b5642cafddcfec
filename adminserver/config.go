package adminserver

import (
	"log/slog"
	"net/netip"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"github.com/sendpromptly/sendpromptly/proofs"
)

// Part is one of the things that a server serves.
type Part string

// The parts. The console brings the admin API with it.
const (
	PartConsole Part = "console"
	PartIngest  Part = "ingest"
	PartProof   Part = "proof"
)

// OIDC names an identity provider. The zero value is none.
type OIDC struct {
	// Issuer is the provider's URL, as in its discovery document.
	Issuer string
	// ClientID and ClientSecret identify this server to the provider. The redirect
	// URI to register there is the base URL with /login/oidc/callback.
	ClientID, ClientSecret string
	// RoleClaim is the claim that gives roles, a text or a list. The highest role
	// counts; without any, only people who were invited can log in. Default: "roles".
	RoleClaim string
	// Roles maps values of the claim to viewer, operator and admin. Default:
	// these three names themselves.
	Roles map[string]string
	// EmailClaim is the claim with the address. Default: "email", which must
	// then come with "email_verified": true.
	EmailClaim string
	// Scopes are asked for besides openid. Default: email and profile.
	Scopes []string
}

// SMTP names the mail server. The zero value sends nothing.
type SMTP struct {
	// Address is host:port. Port 465 speaks TLS from the start, every other one
	// by STARTTLS.
	Address string
	// Username and Password log in, where both are set.
	Username, Password string
	// From is the sender's address.
	From string
	// Plain sends without TLS where the server offers none: for a server on this
	// machine only.
	Plain bool
}

// IngestLimits bound what one project may send to the ingest API of one
// process. Zero fields take the defaults.
type IngestLimits struct {
	// Body is the largest body in bytes. Default: 64 KiB.
	Body int64
	// SnapshotBody is the largest body in bytes where the project keeps payloads.
	// Default: 512 KiB.
	SnapshotBody int64
	// Fields is how many top-level fields a body may have. Default: 64.
	Fields int
	// Rate is how many requests per second are accepted in the long run. Default: 100.
	Rate float64
	// Burst is how many requests are accepted at once. Default: 1,000.
	Burst int
}

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
