package main

import (
	"log/slog"
	"strings"

	"github.com/sendpromptly/sendpromptly/adminserver"
	"github.com/sendpromptly/sendpromptly/cmd/spadmin/cli"
	"github.com/sendpromptly/sendpromptly/cmd/spadmin/proof"
	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/guardedhttp"
)

// oidcFlags name an identity provider.
type oidcFlags struct {
	Issuer       string `help:"The provider's URL. Default: none." env:"SENDPROMPTLY_OIDC_ISSUER" placeholder:"URL"`
	ClientID     string `name:"client-id" help:"The client id at the provider." env:"SENDPROMPTLY_OIDC_CLIENT_ID" placeholder:"ID"`
	ClientSecret string `help:"The client's secret. Use the variable to keep it out of the process list." env:"SENDPROMPTLY_OIDC_CLIENT_SECRET" placeholder:"SECRET"`
	RoleClaim    string `help:"The claim with the roles." default:"roles" env:"SENDPROMPTLY_OIDC_ROLE_CLAIM" placeholder:"CLAIM"`
	Roles        string `help:"The claim's value for each role, such as admin=sre,operator=support. Default: the role's name." env:"SENDPROMPTLY_OIDC_ROLES" placeholder:"ROLE=VALUE,…"`
	EmailClaim   string `help:"The claim with the address. The claim email requires email_verified." default:"email" env:"SENDPROMPTLY_OIDC_EMAIL_CLAIM" placeholder:"CLAIM"`
}

func (f oidcFlags) config() (adminserver.OIDC, error) {
	cfg := adminserver.OIDC{
		Issuer:       f.Issuer,
		ClientID:     f.ClientID,
		ClientSecret: f.ClientSecret,
		RoleClaim:    f.RoleClaim,
		EmailClaim:   f.EmailClaim,
	}
	if f.Roles == "" {
		return cfg, nil
	}
	cfg.Roles = map[string]string{}
	for pair := range strings.SplitSeq(f.Roles, ",") {
		role, value, found := strings.Cut(pair, "=")
		if !found {
			return cfg, &engine.FieldError{Field: "--oidc-roles", Reason: "must be ROLE=VALUE, separated by commas"}
		}
		cfg.Roles[strings.TrimSpace(value)] = strings.TrimSpace(role)
	}
	return cfg, nil
}

// smtpFlags name a mail server.
type smtpFlags struct {
	Address  string `help:"The mail server. Port 465 uses TLS, other ports use STARTTLS. Default: no mail." env:"SENDPROMPTLY_SMTP_ADDRESS" placeholder:"HOST:PORT"`
	Username string `help:"The user name, if the server requires one." env:"SENDPROMPTLY_SMTP_USERNAME" placeholder:"NAME"`
	Password string `help:"The password. Use the variable to keep it out of the process list." env:"SENDPROMPTLY_SMTP_PASSWORD" placeholder:"PASSWORD"`
	From     string `help:"The sender's address." env:"SENDPROMPTLY_SMTP_FROM" placeholder:"ADDRESS"`
	Plain    bool   `help:"Allow mail without TLS, to a server on this machine only." env:"SENDPROMPTLY_SMTP_PLAIN"`
}

// ingestFlags bound the ingest API.
type ingestFlags struct {
	Rate         float64 `help:"Requests per second, on average." default:"100" env:"SENDPROMPTLY_INGEST_RATE" placeholder:"N"`
	Burst        int     `help:"Requests in a burst." default:"1000" env:"SENDPROMPTLY_INGEST_BURST" placeholder:"N"`
	Body         int64   `help:"Bytes per body." default:"65536" env:"SENDPROMPTLY_INGEST_BODY" placeholder:"BYTES"`
	SnapshotBody int64   `help:"Bytes per body in projects that store payloads." default:"524288" env:"SENDPROMPTLY_INGEST_SNAPSHOT_BODY" placeholder:"BYTES"`
	Fields       int     `help:"Top-level fields per body." default:"64" env:"SENDPROMPTLY_INGEST_FIELDS" placeholder:"N"`
}

// config converts the flags to a configuration, still without a pool.
func (c serveCommand) config(s *cli.Session) (adminserver.Config, error) {
	proxies, err := guardedhttp.ParseAllow(c.TrustedProxies)
	if err != nil {
		return adminserver.Config{}, &engine.FieldError{Field: "--trusted-proxies", Reason: err.Error()}
	}
	if (c.TLSCert == "") != (c.TLSKey == "") {
		return adminserver.Config{}, &engine.FieldError{Field: "--tls-cert", Reason: "and --tls-key belong together: pass both"}
	}
	oidc, err := c.OIDC.config()
	if err != nil {
		return adminserver.Config{}, err
	}
	keys, err := proof.OptionalKeys(c.ProofKeys)
	if err != nil {
		return adminserver.Config{}, err
	}
	cfg := adminserver.Config{
		BaseURL: c.BaseURL, ProofKeySet: keys, TrustedProxies: proxies, AllowNetworks: s.Allow, OIDC: oidc,
		SMTP: adminserver.SMTP(c.SMTP), IngestLimits: c.Ingest.limits(), Logger: slog.New(slog.NewTextHandler(s.Stderr, nil)),
	}
	for _, part := range c.Only {
		cfg.Only = append(cfg.Only, adminserver.Part(part))
	}
	return cfg, nil
}

func (f ingestFlags) limits() adminserver.IngestLimits {
	return adminserver.IngestLimits{Rate: f.Rate, Burst: f.Burst, Body: f.Body, SnapshotBody: f.SnapshotBody, Fields: f.Fields}
}

func (c serveCommand) scheme() string {
	if c.TLSCert != "" {
		return "https://"
	}
	return "http://"
}
