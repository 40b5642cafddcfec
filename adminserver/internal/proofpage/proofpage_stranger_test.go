package proofpage_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/sendpromptly/sendpromptly/adminserver/internal/identity"
	"github.com/sendpromptly/sendpromptly/adminserver/internal/proofpage"
	"github.com/sendpromptly/sendpromptly/adminserver/internal/web"
	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/store/evidence"
	"github.com/sendpromptly/sendpromptly/proofs"
)

var quiet = slog.New(slog.DiscardHandler)

func nobody(*http.Request) (identity.Identity, bool, error) { return identity.Identity{}, false, nil }

// deadLinks makes a link of every kind that opens nothing, beside one that lives.
func (s *site) deadLinks() (live string, dead map[string]string) {
	s.t.Helper()
	t, i := s.t, s.incident(credits("evt_1"))
	revoked, revokedLink := s.issue(i)
	if _, err := s.deps.Evidence.Proofs.Revoke(t.Context(), revoked.JTI, "ada"); err != nil {
		t.Fatal(err)
	}
	_, neverIssued, err := s.deps.Evidence.Proofs.Issue(
		t.Context(),
		evidence.ProofRequest{Incident: i.ID, By: "ada", Issuer: s.server.URL},
		func(c evidence.ProofClaims) (string, error) {
			c.Incident = "01a20a17-009a-71c6-8eae-a46dc2e0fc74"
			return s.sign(c), nil
		},
	)
	if err != nil {
		t.Fatal(err)
	}
	stale, staleLink := s.issue(i)
	s.exec("UPDATE sendpromptly.proofs SET expires_at = issued_at + interval '2 seconds' WHERE jti = $1", stale.JTI)
	moved, movedLink := s.issue(i)
	s.exec("UPDATE sendpromptly.proofs SET head_hash = sha256(head_hash) WHERE jti = $1", moved.JTI)
	ended, endedLink := s.issue(i)
	s.exec(
		"UPDATE sendpromptly.proofs SET issued_at = issued_at - interval '9 days', expires_at = expires_at - interval '9 "+
			"days' WHERE jti = $1",
		ended.JTI,
	)
	if ended, err = s.deps.Evidence.Proofs.Get(t.Context(), ended.JTI); err != nil {
		t.Fatal(err)
	}
	claims := evidence.ProofClaims{
		Issuer:    ended.Issuer,
		Incident:  ended.Incident,
		JTI:       ended.JTI,
		IssuedAt:  ended.IssuedAt,
		ExpiresAt: ended.ExpiresAt,
		HeadSeq:   ended.HeadSeq,
		HeadHash:  ended.HeadHash,
	}
	expired := s.sign(claims)
	claims.Issuer, claims.IssuedAt, claims.ExpiresAt = "https://other.example.com", time.Now(), time.Now().Add(time.Hour)
	elsewhere := s.sign(claims)
	claims.Issuer, claims.IssuedAt, claims.ExpiresAt = ended.Issuer, time.Now().Add(time.Hour), time.Now().Add(2*time.Hour)
	future := s.sign(claims)
	claims.IssuedAt, claims.JTI = time.Now(), "01a20a17-009a-71c6-8eae-a46dc2e0fc74"
	forgotten := s.sign(claims)
	_, live = s.issue(i)
	_, other := s.issue(s.incident(credits("evt_2")))
	unsigned := live[:strings.LastIndexByte(live, '.')+1]
	flipped := live[:len(live)-10] + "AAAA" + live[len(live)-6:]
	foreign := s.foreign(claims)
	return live, map[string]string{
		"expired":                  s.server.URL + "/p/" + expired,
		"with other times":         endedLink,
		"with another head":        movedLink,
		"of another server":        s.server.URL + "/p/" + elsewhere,
		"from the future":          s.server.URL + "/p/" + future,
		"of no proof":              s.server.URL + "/p/" + forgotten,
		"of another key":           s.server.URL + "/p/" + foreign,
		"revoked":                  revokedLink,
		"never issued":             s.server.URL + "/p/" + neverIssued,
		"not as issued":            staleLink,
		"without its signature":    unsigned,
		"flipped":                  flipped,
		"the other's signature":    unsigned + other[strings.LastIndexByte(other, '.')+1:],
		"empty":                    s.server.URL + "/p/",
		"padded":                   live + "=",
		"dotted":                   s.server.URL + "/p/a.b.c",
		"a path":                   s.server.URL + "/p/..%2f..%2fetc",
		"large":                    s.server.URL + "/p/" + strings.Repeat("a", 9000),
		"another part":             live + "/other.json",
		"a slash after":            live + "/",
		"more parts":               live + "/a/b",
		"a slash after the bundle": live + "/proof.json/",
		"no such file":             s.server.URL + "/p/assets/none.css",
		"NUL":                      s.server.URL + "/p/%00",
		"a revoked bundle":         revokedLink + "/proof.json",
	}
}

// foreign signs claims with a key that nobody published.
func (s *site) foreign(c evidence.ProofClaims) string {
	s.t.Helper()
	folder := proofs.Folder(s.t.TempDir())
	if _, err := folder.New(); err != nil {
		s.t.Fatal(err)
	}
	keys, err := proofs.LoadKeys(string(folder))
	if err != nil {
		s.t.Fatal(err)
	}
	ours := s.deps.Proofs
	defer func() { s.deps.Proofs = ours }()
	s.deps.Proofs = keys
	return s.sign(c)
}

// Every dead or false link gets the same bytes and the same headers, and leaves
// nothing behind.
func TestEveryDeadLinkIsTheSamePage(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	live, dead := s.deadLinks()
	wanted := s.get(s.server.URL + "/p/x")
	wanted.require(t, 404, "This link has expired or was withdrawn. Ask the person who sent it for a new one.")
	for name, link := range dead {
		got := s.get(link)
		if got.status != wanted.status || got.body != wanted.body {
			t.Errorf("%s: %d, %d bytes, want %d bytes", name, got.status, len(got.body), len(wanted.body))
		}
		for header := range wanted.header {
			if header != "Date" && header != "X-Request-Id" && got.header.Get(header) != wanted.header.Get(header) {
				t.Errorf("%s: %s is %q, want %q", name, header, got.header.Get(header), wanted.header.Get(header))
			}
		}
		if len(got.header) != len(wanted.header) {
			t.Errorf("%s: %v, want %v", name, got.header, wanted.header)
		}
	}
	s.get(live).require(t, 200)
	s.db.Travel(8 * 24 * time.Hour)
	if got := s.get(live); got.status != 404 || got.body != wanted.body {
		t.Errorf("expired: %d", got.status)
	}
}

// A token that is nonsense costs what one costs that was withdrawn: the clock and
// one look-up, beside one signature check (see resolve).
func TestEveryDeadLinkIsTheSameWork(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	live, dead := s.deadLinks()
	for _, name := range []string{"empty", "a slash after", "more parts", "a slash after the bundle", "no such file"} {
		delete(dead, name) // no token is in them
	}
	for name, link := range dead {
		before := s.db.Pool.Stat().AcquireCount()
		s.get(link).require(t, 404)
		if asked := s.db.Pool.Stat().AcquireCount() - before; asked != 2 {
			t.Errorf("%s: the database was asked %d times, want twice", name, asked)
		}
	}
	s.get(live).require(t, 200)
}

func TestTheAnswerSaysWhatBrowsersMayDo(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	_, link := s.issue(s.incident(credits("evt_1")))
	for name, url := range map[string]string{"page": link, "dead link": s.server.URL + "/p/x", "saved proof": link + "/proof.json"} {
		t.Run(name, func(t *testing.T) {
			got := s.get(url)
			for header, want := range map[string]string{
				"Cache-Control": "^no-store$", "Referrer-Policy": "^no-referrer$", "X-Robots-Tag": "noindex",
				"X-Content-Type-Options":  "^nosniff$",
				"Content-Security-Policy": "^default-src 'none'.*frame-ancestors 'none'",
			} {
				if !regexp.MustCompile(want).MatchString(got.header.Get(header)) {
					t.Errorf("%s: %s is %q", url, header, got.header.Get(header))
				}
			}
			if policy := got.header.Get(
				"Content-Security-Policy",
			); strings.Contains(policy, "unsafe") ||
				strings.Contains(policy, "http") {
				t.Errorf("policy %q", policy)
			}
			if got.header.Get("Set-Cookie") != "" {
				t.Error("it sets a cookie")
			}
		})
	}
	page := s.get(link).body
	for _, inline := range []string{"<style", " style=", "onclick", "javascript:"} {
		if strings.Contains(page, inline) {
			t.Errorf("the page holds %s", inline)
		}
	}
	for _, path := range regexp.MustCompile(`(?:href|src)="(/p/assets/[^"]+)"`).FindAllStringSubmatch(page, -1) {
		got := s.get(s.server.URL + path[1])
		got.require(t, 200)
		if !strings.Contains(got.header.Get("Cache-Control"), "immutable") {
			t.Errorf("%s is not kept", path[1])
		}
	}
}

// A token is a secret: whoever reads the log cannot open the page.
func TestNoTokenIsLogged(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	p, live := s.issue(s.incident(credits("evt_1")))
	var log bytes.Buffer
	kept := s.deps
	kept.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	handler, err := web.NewHandler(web.Options{Base: kept.Base, Logger: kept.Logger, Authenticate: nobody}, proofpage.Routes(kept))
	if err != nil {
		t.Fatal(err)
	}
	token := strings.TrimPrefix(live, s.server.URL+"/p/")
	for _, path := range []string{
		token, token + "/", token + "/proof.json", token + "/proof.json/", "short-token", "short-token/", "short-token/a/b",
	} {
		handler.ServeHTTP(
			httptest.NewRecorder(),
			httptest.NewRequestWithContext(t.Context(), http.MethodGet, s.server.URL+"/p/"+path, nil),
		)
	}
	s.exec("DROP TABLE sendpromptly.seals CASCADE") // an error of ours names no token either
	handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, live, nil))
	if text := log.String(); strings.Count(text, "route=/p/") != 8 || !strings.Contains(text, "level=ERROR") {
		t.Errorf("the log holds %s", text)
	}
	for _, secret := range []string{token[:40], "short-token", p.JTI} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("the log holds %q:\n%s", secret, log.String())
		}
	}
}

// Only a person's visit counts.
func TestPreviewsChangeNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	p, link := s.issue(s.incident(credits("evt_1")))
	head := s.ask(http.MethodHead, link, "User-Agent", "Mozilla/5.0 (iPhone)")
	if head.status != 200 || head.body != "" {
		t.Errorf("HEAD: %d", head.status)
	}
	for _, header := range [][2]string{
		{"Purpose", "prefetch"},
		{"Sec-Purpose", "prefetch;prerender"},
		{"X-Moz", "prefetch"},
		{"X-Purpose", "preview"},
		{"User-Agent", "Slackbot-LinkExpanding 1.0"},
		{"User-Agent", "facebookexternalhit/1.1"},
		{"User-Agent", "WhatsApp/2.23"},
		{"User-Agent", "TelegramBot (like TwitterBot)"},
		{"User-Agent", "Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5"},
		{"User-Agent", "Mozilla/5.0 (compatible; vkShare; +http://vk.com/dev/Share)"},
		{"User-Agent", "Mozilla/5.0 (compatible; bingbot/2.0)"},
		{"User-Agent", "Iframely/1.3.1"},
		{"User-Agent", "curl/8.5.0"},
		{"User-Agent", ""},
	} {
		s.ask(http.MethodGet, link, header[0], header[1]).require(t, 200)
	}
	s.ask(http.MethodGet, link+"/proof.json", "User-Agent", "Mozilla/5.0 (iPhone)").require(t, 200)
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete} {
		if got := s.ask(method, link); got.status != http.StatusMethodNotAllowed {
			t.Errorf("%s: %d", method, got.status)
		}
	}
	if seen, err := s.deps.Evidence.Proofs.Get(t.Context(), p.JTI); err != nil || seen.Views != 0 {
		t.Fatalf("%d views, %v", seen.Views, err)
	}
	before, _ := s.db.Kinds(credits("evt_1").Key)
	s.ask(http.MethodGet, link, "User-Agent", "Mozilla/5.0 (iPhone)").require(t, 200)
	seen, err := s.deps.Evidence.Proofs.Get(t.Context(), p.JTI)
	after, _ := s.db.Kinds(credits("evt_1").Key)
	if err != nil || seen.Views != 1 || seen.LastView.IsZero() || len(before) != len(after) {
		t.Errorf("%+v, %v, timeline %v", seen, err, after)
	}
}

func TestWhoTriesTooOftenHasToWait(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	refused := 0
	for range 200 {
		if got := s.get(s.server.URL + "/p/x"); got.status == http.StatusTooManyRequests && got.header.Get("Retry-After") != "" {
			refused++
		}
	}
	if refused < 50 {
		t.Errorf("%d of 200 were refused", refused)
	}
}

// canary stands in every column that takes a text, with a name of its own.
const canary = "canary-xqz"

// Of what the database holds, a customer sees what the list in redact.go names,
// in the page, the saved proof and the headers.
func TestNothingButTheListIsShown(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a := engine.Acceptance{
		Key: engine.Key{Provider: "stripe", EventID: canary + "-event", Effect: "credit_grant"}, EventType: "invoice.paid",
		Subject: canary + "-subject", Merchant: canary + "-shop.myshopify.com",
		SourceEvent: canary + "-source", Customer: canary + "-customer", Version: canary + "-version",
		Objects: []string{canary + "-object"}, Amount: engine.Money{Minor: 987654321, Currency: "EUR"},
	}
	i := s.incident(a)
	s.exec(
		`UPDATE sendpromptly.projects SET repair_url = 'https://' || $1 || '-repair.example',
			name = $1 || '-project', public_name = 'Acme'`,
		canary,
	)
	s.exec(
		`UPDATE sendpromptly.incidents SET closed_by = $1, note = $1, error_code = $1, error_message = $1,
			replay_id = gen_random_uuid()`,
		canary,
	)
	for _, kind := range []string{
		"receipt", "duplicate", "mismatch", "success", "failure", "deadline", "opened", "reprocess", "callback", "accepted", "gave_up",
		"stopped", "resolved", "closed", "reopened", "note", "alert", "proof", "erased", canary,
	} {
		s.exec(
			`INSERT INTO sendpromptly.entries (effect_id, project_id, at, kind, actor, replay_id, error_code, error_message,
				note, url, status, duration_ms, answer)
			SELECT i.effect_id, 1, now(),
			CASE WHEN $2 = $1 THEN 'unheard_of' ELSE $2 END, $1, $1, $1, $1, $1, 'https://' || $1, 987654321, 987654321, $1
			FROM sendpromptly.incidents AS i`,
			canary,
			kind,
		)
	}
	s.exec(
		`INSERT INTO sendpromptly.snapshots (project_id, effect_id, purge_at, sealed) VALUES (1, $1, now(), convert_to($2, 'UTF8'))`,
		i.EffectID,
		canary,
	)
	_, link, err := s.deps.IssueProof(
		t.Context(),
		evidence.ProofRequest{Incident: i.ID, By: canary + "-issuer", Audience: canary + "-audience"},
	)
	if err != nil {
		t.Fatal(err)
	}
	for _, url := range []string{link, link + "/proof.json", s.server.URL + "/.well-known/jwks.json", s.server.URL + "/p/x"} {
		got := s.get(url)
		if url == link {
			got.require(t, 200, "Acme", "The record was updated.")
		}
		if url == link+"/proof.json" {
			got.require(t, 200, `"unheard_of"`)
		}
		for _, secret := range []string{canary, "987654321", i.ReplayID, "9.876"} {
			if secret != "" && strings.Contains(strings.ToLower(got.body), secret) {
				t.Errorf("%s shows %q:\n%s", url, secret, got.body)
			}
		}
		for name, values := range got.header {
			if strings.Contains(strings.ToLower(strings.Join(values, " ")), canary) {
				t.Errorf("%s: header %s is %q", url, name, values)
			}
		}
	}
}
