// Package login identifies the caller: a person with a session, started by a one-time link, a token or an
// identity provider, or a program with a token. Every request reads its operator or token again, so that a
// removal or a new role applies from the next request on.
package login

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/sendpromptly/sendpromptly/adminserver/internal/identity"
	"github.com/sendpromptly/sendpromptly/adminserver/internal/mail"
	"github.com/sendpromptly/sendpromptly/adminserver/internal/web"
	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/store/access"
)

// sessionLife is the absolute limit, which the store enforces too.
const sessionLife = 12 * time.Hour

// Config configures logins besides links and tokens.
type Config struct {
	web.Deps
	// Mail sends login links if it is set.
	Mail mail.SMTP
	// OIDC is the identity provider if it is set.
	OIDC OIDC
}

// Login is the room's handlers.
type Login struct {
	Config
	sessions *scs.SessionManager
	provider *provider
	// mailing limits the concurrent mails.
	mailing chan struct{}
}

// New makes the room.
func New(cfg Config) (*Login, error) {
	if err := cfg.OIDC.validate(); err != nil {
		return nil, err
	}
	l := &Login{Config: cfg, sessions: scs.New(), mailing: make(chan struct{}, 4)}
	l.sessions.Store, l.sessions.Codec = cfg.Access.Sessions, codec{}
	l.sessions.Lifetime, l.sessions.IdleTimeout = sessionLife, access.SessionIdle
	l.sessions.Cookie = scs.SessionCookie{
		Name: l.cookieName("sendpromptly"), HttpOnly: true, Path: l.cookiePath(),
		SameSite: http.SameSiteLaxMode, Secure: cfg.Base.Secure(),
	}
	if cfg.OIDC.Enabled() {
		l.provider = newProvider(cfg.OIDC, cfg.AllowNetworks, cfg.Base.URL("/login/oidc/callback"))
	}
	return l, nil
}

// cookieName binds a cookie to this exact host if browsers support that: over https and for the whole site.
func (l *Login) cookieName(name string) string {
	if l.Base.Secure() && l.Base.Prefix() == "" {
		return "__Host-" + name
	}
	return name
}

func (l *Login) cookiePath() string { return l.Base.Path("/") }

// Routes is the table of the login pages.
func (l *Login) Routes() []web.Route {
	routes := []web.Route{
		{Pattern: "GET /login", Handler: http.HandlerFunc(l.page)},
		{Pattern: "POST /login", Handler: http.HandlerFunc(l.submit)},
		{Pattern: "GET /login/{token}", Handler: http.HandlerFunc(l.confirm)},
		{Pattern: "POST /login/{token}", Handler: http.HandlerFunc(l.useLink)},
		{Pattern: "POST /logout", Handler: http.HandlerFunc(l.logout)},
	}
	if l.provider != nil {
		routes = append(routes,
			web.Route{Pattern: "GET /login/oidc", Handler: http.HandlerFunc(l.toProvider)},
			web.Route{Pattern: "GET /login/oidc/callback", Handler: http.HandlerFunc(l.fromProvider)})
	}
	return routes
}

// Steps is the room's background work.
func (l *Login) Steps() []web.Step {
	return []web.Step{{Name: "purge sessions", Every: 10 * time.Minute, Do: l.Access.Sessions.Purge}}
}

// Authenticate identifies the sender of a request. If there is an Authorization header, only that counts: a
// cookie does not make up for a wrong token.
func (l *Login) Authenticate(r *http.Request) (identity.Identity, bool, error) {
	switch headers := r.Header.Values("Authorization"); {
	case len(headers) > 1: // one of them might be a proxy's
		return identity.Identity{}, false, nil
	case len(headers) == 1 && headers[0] != "":
		return l.bearer(r.Context(), headers[0])
	}
	cookie, err := r.Cookie(l.sessions.Cookie.Name)
	if err != nil || cookie.Value == "" {
		return identity.Identity{}, false, nil
	}
	ctx, err := l.sessions.Load(r.Context(), cookie.Value)
	if err != nil {
		return identity.Identity{}, false, err
	}
	return l.owner(ctx)
}

// bearer is for programs. Every request proves its token again.
func (l *Login) bearer(ctx context.Context, header string) (identity.Identity, bool, error) {
	scheme, secret, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return identity.Identity{}, false, nil
	}
	token, _, err := l.Access.Tokens.Find(ctx, strings.TrimSpace(secret))
	return tokenIdentity(token, true, err)
}

// owner reads the owner of a loaded session.
func (l *Login) owner(ctx context.Context) (identity.Identity, bool, error) {
	at, who := l.loggedInAt(ctx), l.sessions.GetString(ctx, "who")
	switch l.sessions.GetString(ctx, "kind") {
	case kindOperator:
		account, recent, err := l.Access.Operators.Session(ctx, who, at)
		return withRole(identity.Identity{Name: account.Email, Recent: recent}, account.Role, err)
	case kindToken:
		token, recent, err := l.Access.Tokens.Session(ctx, who, at)
		return tokenIdentity(token, recent, err)
	}
	return identity.Identity{}, false, nil
}

func tokenIdentity(token access.Token, recent bool, err error) (identity.Identity, bool, error) {
	return withRole(identity.Identity{Name: "token:" + token.Label, Project: token.Project, Recent: recent}, token.Role, err)
}

// withRole adds a role to who, unless nobody was found.
func withRole(who identity.Identity, role string, err error) (identity.Identity, bool, error) {
	if errors.Is(err, engine.ErrNotFound) {
		return identity.Identity{}, false, nil
	}
	if err != nil {
		return identity.Identity{}, false, err
	}
	who.Role, err = identity.ParseRole(role)
	return who, err == nil, err
}
