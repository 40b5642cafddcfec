package adminserver_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/sendpromptly/sendpromptly/adminserver"
	"github.com/sendpromptly/sendpromptly/internal/store/projects"
)

// idp is a small identity provider: discovery, keys, codes bound to a PKCE
// challenge, and ID tokens. claims is who comes back.
type idp struct {
	*httptest.Server
	t      *testing.T
	key    *rsa.PrivateKey
	mu     sync.Mutex
	codes  map[string]url.Values
	claims map[string]any
}

func newIDP(t *testing.T) *idp {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p := &idp{t: t, key: key, codes: map[string]url.Values{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		p.json(w, map[string]any{
			"issuer": p.URL, "authorization_endpoint": p.URL + "/authorize", "token_endpoint": p.URL + "/token",
			"jwks_uri": p.URL + "/keys", "id_token_signing_alg_values_supported": []string{"RS256"},
		})
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		p.json(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &key.PublicKey, KeyID: "k1", Algorithm: "RS256", Use: "sig"}}})
	})
	mux.HandleFunc("GET /authorize", p.authorize)
	mux.HandleFunc("POST /token", p.token)
	p.Server = httptest.NewServer(mux)
	t.Cleanup(p.Close)
	return p
}

func (p *idp) json(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

// authorize knows the person already and sends the browser back with a code.
func (p *idp) authorize(w http.ResponseWriter, r *http.Request) {
	asked := r.URL.Query()
	if asked.Get("client_id") != "console" || asked.Get("code_challenge_method") != "S256" || asked.Get("nonce") == "" {
		http.Error(w, "bad request", http.StatusBadRequest)
		return
	}
	code := rand.Text()
	p.mu.Lock()
	p.codes[code] = asked
	p.mu.Unlock()
	http.Redirect(
		w,
		r,
		asked.Get("redirect_uri")+"?"+url.Values{"code": {code}, "state": {asked.Get("state")}}.Encode(),
		http.StatusFound,
	)
}

// token exchanges a code, once, for whoever knows the verifier.
func (p *idp) token(w http.ResponseWriter, r *http.Request) {
	id, secret, _ := r.BasicAuth()
	p.mu.Lock()
	asked, known := p.codes[r.PostFormValue("code")]
	delete(p.codes, r.PostFormValue("code"))
	p.mu.Unlock()
	sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	if !known || id != "console" || secret != "hunter2" ||
		asked.Get("code_challenge") != base64.RawURLEncoding.EncodeToString(sum[:]) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		p.json(w, map[string]string{"error": "invalid_grant"})
		return
	}
	claims := map[string]any{
		"iss": p.URL, "aud": "console", "sub": "1", "iat": time.Now().Unix(), "exp": time.Now().Add(time.Minute).Unix(),
		"nonce": asked.Get("nonce"), "email": "ada@example.com", "email_verified": true,
	}
	for name, value := range p.claims {
		claims[name] = value
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: p.key, KeyID: "k1"}}, nil)
	if err != nil {
		p.t.Error(err)
		return
	}
	text, err := json.Marshal(claims)
	if err != nil {
		p.t.Error(err)
		return
	}
	signed, err := signer.Sign(text)
	if err != nil {
		p.t.Error(err)
		return
	}
	compact, err := signed.CompactSerialize()
	if err != nil {
		p.t.Error(err)
		return
	}
	p.json(w, map[string]any{"access_token": "unused", "token_type": "Bearer", "id_token": compact})
}

// through goes to the provider and returns where it sends the browser back to.
func (b *browser) through(next string) string {
	b.t.Helper()
	a := b.get("/login/oidc?" + url.Values{"next": {next}}.Encode())
	if a.StatusCode != http.StatusSeeOther {
		b.t.Fatalf("%d %s", a.StatusCode, a.text)
	}
	return b.get(a.Header.Get("Location")).Header.Get("Location")
}

func oidcSite(t *testing.T) (*site, *idp) {
	t.Helper()
	p := newIDP(t)
	return newSite(t, func(c *adminserver.Config) {
		c.OIDC = adminserver.OIDC{
			Issuer:       p.URL,
			ClientID:     "console",
			ClientSecret: "hunter2",
			Roles:        map[string]string{"sre": "admin", "support": "operator"},
		}
	}), p
}

func TestTheIdentityProviderGivesTheRole(t *testing.T) {
	t.Parallel()
	s, p := oidcSite(t)
	role := func() string {
		all, err := s.store.Access.Operators.List(t.Context())
		if err != nil || len(all) != 1 {
			t.Fatal(all, err)
		}
		return all[0].Role
	}
	for _, test := range []struct {
		roles any
		want  string
	}{{[]string{"staff", "support"}, "operator"}, {[]string{"support", "sre"}, "admin"}, {"support", "operator"}} {
		p.claims = map[string]any{"roles": test.roles}
		b := s.browser()
		b.get(b.through("/incidents?state=failed")).require(t, 303, "/incidents?state=failed")
		b.get("/incidents").require(t, 200, "")
		if role() != test.want {
			t.Errorf("%v gives %s", test.roles, role())
		}
	}
	// Without a role in the claim only those get in whose role was given here.
	p.claims = map[string]any{"email": "eve@example.com"}
	b := s.browser()
	b.get(b.through("/")).require(t, 401, "")
	s.invited("eve@example.com", "viewer")
	b = s.browser()
	b.get(b.through("/")).require(t, 303, "/")
}

// A role that the provider gave ends where the provider takes it back, whatever
// way in is tried; one that is given here holds again.
func TestTheProviderTakesTheRoleBack(t *testing.T) {
	t.Parallel()
	address, mails := postOffice(t)
	p := newIDP(t)
	s := newSite(t, func(c *adminserver.Config) {
		c.OIDC = adminserver.OIDC{Issuer: p.URL, ClientID: "console", ClientSecret: "hunter2"}
		c.SMTP = adminserver.SMTP{Address: address, From: "ops@example.com", Plain: true}
	})
	// She was a viewer here before the provider made her an admin.
	if _, err := s.store.Access.Operators.Invite(t.Context(), "ada@example.com", "viewer", "test"); err != nil {
		t.Fatal(err)
	}
	s.db.Travel(2 * time.Minute)
	for _, roles := range []any{"admin", "admin", "operator"} {
		p.claims = map[string]any{"roles": roles}
		b := s.browser()
		b.get(b.through("/")).require(t, 303, "/")
	}
	page, err := s.store.Projects.Audit.List(t.Context(), projects.AuditFilter{Action: "operator.role"})
	if err != nil || len(page.Entries) != 2 || page.Entries[0].Detail != "operator" || page.Entries[1].Detail != "admin" ||
		page.Entries[1].Actor != "oidc" {
		t.Errorf("the audit log says %+v, %v", page.Entries, err)
	}
	p.claims = map[string]any{"roles": []string{}}
	b := s.browser()
	b.get(b.through("/")).require(t, 401, "")
	s.browser().do("POST", "/login", url.Values{"email": {"ada@example.com"}}).require(t, 200, "")
	s.waitForLog("a login link was not mailed")
	select {
	case mail := <-mails:
		t.Errorf("mailed: %s", mail)
	default:
	}
	if err := s.store.Access.Operators.SetRole(t.Context(), "ada@example.com", "viewer", "bob@example.com"); err != nil {
		t.Fatal(err)
	}
	b.get(b.through("/")).require(t, 303, "/")
	p.claims = map[string]any{"roles": "viewer"}
	b.get(b.through("/")).require(t, 303, "/")
	p.claims = nil
	b.get(b.through("/")).require(t, 401, "")
	s.invited("ada@example.com", "viewer")
	b.get(b.through("/")).require(t, 303, "/")
}

func TestWhatTheProviderDidNotSayLetsNobodyIn(t *testing.T) {
	t.Parallel()
	s, p := oidcSite(t)
	for why, claims := range map[string]map[string]any{
		"not verified": {"email_verified": false}, "no address": {"email": ""}, "another client": {"aud": "other"},
		"expired": {"exp": time.Now().Add(-time.Hour).Unix()}, "another issuer": {"iss": "https://evil.example"},
		"another login's nonce": {"nonce": "x"},
	} {
		claims["roles"] = "sre"
		p.claims = claims
		b := s.browser()
		if a := b.get(b.through("/")); a.StatusCode != 401 || b.session() != nil {
			t.Errorf("%s: %d", why, a.StatusCode)
		}
	}
}

func TestACallbackWorksOnceAndOnlyWhereItBegan(t *testing.T) {
	t.Parallel()
	s, p := oidcSite(t)
	p.claims = map[string]any{"roles": "sre"}
	b := s.browser()
	back := b.through("/")
	s.browser().get(back).require(t, 401, "")
	b.get(back).require(t, 303, "/")
	b.get(back).require(t, 401, "")
	other := s.browser()
	other.through("/")
	other.get(back).require(t, 401, "") // the state of another login
	// Somebody else's login that was not used yet is not used up for them either:
	// the provider is not even asked.
	unused := b.through("/")
	other.through("/")
	other.get(unused).require(t, 401, "")
	b.get(unused).require(t, 303, "/")
	if log := s.log.String(); log == "" || strings.Contains(log, "hunter2") || strings.Contains(log, back[len(back)-20:]) {
		t.Error("the log holds what it should not")
	}
}
