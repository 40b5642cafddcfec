package login

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/sendpromptly/sendpromptly/adminserver/internal/identity"
	"github.com/sendpromptly/sendpromptly/adminserver/internal/web"
	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/guardedhttp"
)

// OIDC configures an identity provider. The zero value means none.
type OIDC struct {
	// Issuer is the provider's URL, as in its discovery document.
	Issuer string
	// ClientID and ClientSecret identify this server to the provider. The redirect URI to register there is
	// the base URL with /login/oidc/callback.
	ClientID, ClientSecret string
	// RoleClaim is the claim that gives roles, a text or a list. Default: "roles". The highest role counts.
	// Without one, only invited people can log in.
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

// Enabled says whether there is a provider.
func (o OIDC) Enabled() bool { return o.Issuer != "" }

func (o OIDC) validate() error {
	if !o.Enabled() {
		return nil
	}
	if o.ClientID == "" {
		return &engine.FieldError{Field: "OIDC.ClientID", Reason: "is empty"}
	}
	for _, role := range o.Roles {
		if _, err := identity.ParseRole(role); err != nil {
			return &engine.FieldError{Field: "OIDC.Roles", Reason: "must map to viewer, operator or admin"}
		}
	}
	return nil
}

// provider calls the identity provider, through the guarded client.
type provider struct {
	cfg      OIDC
	client   *http.Client
	redirect string
	mu       sync.Mutex
	found    *oidc.Provider
}

func newProvider(cfg OIDC, allow []netip.Prefix, redirect string) *provider {
	if cfg.RoleClaim == "" {
		cfg.RoleClaim = "roles"
	}
	if cfg.EmailClaim == "" {
		cfg.EmailClaim = "email"
	}
	if len(cfg.Roles) == 0 {
		cfg.Roles = map[string]string{"viewer": "viewer", "operator": "operator", "admin": "admin"}
	}
	if len(cfg.Scopes) == 0 {
		cfg.Scopes = []string{"email", "profile"}
	}
	return &provider{cfg: cfg, client: guardedhttp.New(allow), redirect: redirect}
}

// discover reads the provider's document once; after a failure the next login retries.
func (p *provider) discover(ctx context.Context) (*oidc.Provider, oauth2.Config, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.found == nil {
		found, err := oidc.NewProvider(p.with(ctx), p.cfg.Issuer)
		if err != nil {
			return nil, oauth2.Config{}, fmt.Errorf("the identity provider's discovery document: %w", err)
		}
		p.found = found
	}
	return p.found, oauth2.Config{
		ClientID: p.cfg.ClientID, ClientSecret: p.cfg.ClientSecret, Endpoint: p.found.Endpoint(),
		RedirectURL: p.redirect, Scopes: append([]string{oidc.ScopeOpenID}, p.cfg.Scopes...),
	}, nil
}

func (p *provider) with(ctx context.Context) context.Context {
	return oidc.ClientContext(ctx, p.client)
}

// trip is what the browser stores while it is at the provider. The cookie must match the state: a callback
// without it was not started here.
type trip struct{ State, Nonce, Verifier, Next string }

const tripSeconds = 600

// toProvider sends the browser to the provider.
func (l *Login) toProvider(w http.ResponseWriter, r *http.Request) {
	_, exchange, err := l.provider.discover(r.Context())
	if err != nil {
		l.refuse(w, r, err, "The identity provider does not answer. Try again in a moment.")
		return
	}
	t := trip{State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(), Next: local(r.URL.Query().Get("next"))}
	l.setTrip(w, strings.Join([]string{t.State, t.Nonce, t.Verifier, url.QueryEscape(t.Next)}, "."), tripSeconds)
	http.Redirect(
		w,
		r,
		exchange.AuthCodeURL(t.State, oidc.Nonce(t.Nonce), oauth2.S256ChallengeOption(t.Verifier)),
		http.StatusSeeOther,
	)
}

func (l *Login) setTrip(w http.ResponseWriter, value string, seconds int) {
	http.SetCookie(w, &http.Cookie{
		Name: l.cookieName("sendpromptly-oidc"), Value: value, Path: l.cookiePath(), MaxAge: seconds,
		HttpOnly: true, Secure: l.Base.Secure(), SameSite: http.SameSiteLaxMode,
	})
}

func (l *Login) readTrip(r *http.Request) (trip, bool) {
	cookie, err := r.Cookie(l.cookieName("sendpromptly-oidc"))
	if err != nil {
		return trip{}, false
	}
	parts := strings.SplitN(cookie.Value, ".", 4)
	if len(parts) != 4 {
		return trip{}, false
	}
	next, err := url.QueryUnescape(parts[3])
	state := r.URL.Query().Get("state")
	return trip{parts[0], parts[1], parts[2], local(next)},
		err == nil && parts[0] != "" && subtle.ConstantTimeCompare([]byte(parts[0]), []byte(state)) == 1
}

// fromProvider handles the browser's return.
func (l *Login) fromProvider(w http.ResponseWriter, r *http.Request) {
	t, ok := l.readTrip(r)
	l.setTrip(w, "", -1)
	if !ok {
		l.refuse(w, r, nil, "This login was not started here, or it took longer than 10 minutes. Start again.")
		return
	}
	email, role, err := l.provider.identify(r.Context(), r.URL.Query().Get("code"), t)
	if err != nil {
		l.refuse(w, r, err, "The identity provider did not confirm who you are.")
		return
	}
	login, err := l.Access.Operators.LogInByOIDC(r.Context(), email, role)
	switch {
	case errors.Is(err, engine.ErrNotFound):
		l.refuse(w, r, err, "You have no role here. Ask an admin for an invitation, or for a role at the identity provider.")
	case err != nil:
		l.refuse(w, r, err, "You could not be logged in.")
	default:
		l.begin(w, r, kindOperator, login.Email, login.At, t.Next)
	}
}

func (l *Login) refuse(w http.ResponseWriter, r *http.Request, err error, problem string) {
	if err != nil {
		l.Logger.WarnContext(r.Context(), "sendpromptly: a login through the identity provider was refused",
			"request_id", web.RequestID(r.Context()), "error", err)
	}
	l.showLogin(w, r, http.StatusUnauthorized, view{Problem: problem})
}

// identify exchanges the code for an ID token, and reads the person and their role from it, "" for none.
func (p *provider) identify(ctx context.Context, code string, t trip) (email, role string, err error) {
	found, exchange, err := p.discover(ctx)
	if err != nil {
		return "", "", err
	}
	tokens, err := exchange.Exchange(p.with(ctx), code, oauth2.VerifierOption(t.Verifier))
	if err != nil {
		var answer *oauth2.RetrieveError
		if errors.As(err, &answer) { // its text contains the whole answer
			return "", "", fmt.Errorf("the code exchange failed: %s", answer.ErrorCode)
		}
		return "", "", guardedhttp.WithoutURL(err)
	}
	raw, _ := tokens.Extra("id_token").(string)
	token, err := found.Verifier(&oidc.Config{ClientID: p.cfg.ClientID}).Verify(p.with(ctx), raw)
	if err != nil {
		return "", "", fmt.Errorf("the ID token: %w", err)
	}
	if subtle.ConstantTimeCompare([]byte(token.Nonce), []byte(t.Nonce)) != 1 {
		return "", "", errors.New("the ID token is for another login")
	}
	claims := map[string]json.RawMessage{}
	if err := token.Claims(&claims); err != nil {
		return "", "", err
	}
	return p.read(claims)
}

// read finds address and role in the claims.
func (p *provider) read(claims map[string]json.RawMessage) (email, role string, err error) {
	if json.Unmarshal(claims[p.cfg.EmailClaim], &email) != nil || email == "" {
		return "", "", fmt.Errorf("the ID token has no %s", p.cfg.EmailClaim)
	}
	verified := false
	if p.cfg.EmailClaim == "email" && (json.Unmarshal(claims["email_verified"], &verified) != nil || !verified) {
		return "", "", errors.New("the provider has not verified the address")
	}
	var values []string
	if json.Unmarshal(claims[p.cfg.RoleClaim], &values) != nil {
		var one string
		if json.Unmarshal(claims[p.cfg.RoleClaim], &one) == nil {
			values = []string{one}
		}
	}
	highest := identity.Role(0)
	for value, name := range p.cfg.Roles {
		if r, err := identity.ParseRole(name); err == nil && slices.Contains(values, value) {
			highest = max(highest, r)
		}
	}
	if highest > 0 {
		role = highest.String()
	}
	return email, role, nil
}
