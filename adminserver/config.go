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

// The parts. The console includes the admin API.
const (
	PartConsole Part = "console"
	PartIngest  Part = "ingest"
	PartProof   Part = "proof"
)

// OIDC configures an identity provider. The zero value means none.
type OIDC struct {
	// Issuer is the provider's URL, as in its discovery document.
	Issuer string
	// ClientID and ClientSecret identify this server to the provider. The redirect
	// URI to register there is the base URL with /login/oidc/callback.
	ClientID, ClientSecret string
	// RoleClaim is the claim that gives roles, a text or a list. The highest role counts. Without one, only
	// invited people can log in. Default: "roles".
	RoleClaim string
	// Roles maps values of the claim to viewer, operator and admin. Default:
	// these three names themselves.
	Roles map[string]string
	// EmailClaim is the claim with the address. Default: "email", which must
	// then come with "email_verified": true.
	EmailClaim string
	// Scopes are requested besides openid. Default: email and profile.
	Scopes []string
}

// SMTP configures the mail server. The zero value sends nothing.
type SMTP struct {
	// Address is host:port. Port 465 uses TLS from the start, every other port STARTTLS.
	Address string
	// Username and Password are used to log in if both are set.
	Username, Password string
	// From is the sender's address.
	From string
	// Plain sends without TLS if the server does not offer it. Use it only for a server on the same machine.
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

// Config configures a server. A database (Pool or Cells) and BaseURL are required.
type Config struct {
	// Pool is connected to a migrated database. It is the short form of one cell
	// without a name.
	Pool *pgxpool.Pool
	// Cells are the databases that the server uses, instead of Pool. More than one is not supported. Default:
	// Pool.
	Cells []Cell
	// BaseURL is where users reach the server. Its path is the prefix of all requests.
	BaseURL string
	// Only are the parts to serve. Default: all.
	Only []Part
	// Authenticate identifies the caller for the embedding app. It replaces sessions, login links, OIDC and
	// tokens, and is called again every 15 seconds while a page is live. Default: those four.
	Authenticate Authenticate
	// OIDC allows logins through an identity provider. Default: none.
	OIDC OIDC
	// SMTP sends login links and alerts by email. Default: no email is sent.
	SMTP SMTP
	// IngestLimits bound the ingest API. Default: 64 KiB per body (512 KiB with snapshots), 64 fields, 100
	// requests per second and 1,000 at once per project.
	IngestLimits IngestLimits
	// ProofKeys is the folder with the keys that sign proofs. Default: no proofs.
	ProofKeys string
	// ProofKeySet are the keys instead of a folder, such as those of a KMS or HSM; see proofs.KeysFrom. The
	// server reloads them every few seconds.
	ProofKeySet *proofs.Keys
	// TrustedProxies are the networks of the proxies in front, whose
	// X-Forwarded-For names the client. Default: none.
	TrustedProxies []netip.Prefix
	// Registry receives the metrics. Default: the server's own registry, served at /metrics.
	Registry *prometheus.Registry
	// TracerProvider creates the spans, one per request. Default: OpenTelemetry's global provider, which does
	// nothing until an app sets it.
	TracerProvider trace.TracerProvider
	// AllowNetworks, SecretKey and Logger are as in engine.Config.
	AllowNetworks []netip.Prefix
	SecretKey     string
	Logger        *slog.Logger
}
