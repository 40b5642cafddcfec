package proofpage_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/adminserver/internal/engines"
	"github.com/sendpromptly/sendpromptly/adminserver/internal/proofpage"
	"github.com/sendpromptly/sendpromptly/adminserver/internal/web"
	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
	"github.com/sendpromptly/sendpromptly/internal/store/evidence"
	"github.com/sendpromptly/sendpromptly/internal/store/projects"
	"github.com/sendpromptly/sendpromptly/internal/store/rooms"
	"github.com/sendpromptly/sendpromptly/proofs"
	"github.com/sendpromptly/sendpromptly/proofs/jws"
)

// site serves the room alone, over HTTP.
type site struct {
	t      *testing.T
	db     *enginetest.Database
	engine *engine.Engine
	deps   web.Deps
	folder proofs.Folder
	server *httptest.Server
	rooms  atomic.Value // the handler of now
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{t: t, db: enginetest.New(t), folder: proofs.Folder(t.TempDir())}
	if _, err := s.folder.New(); err != nil {
		t.Fatal(err)
	}
	keys, err := proofs.LoadKeys(string(s.folder))
	if err != nil {
		t.Fatal(err)
	}
	st, err := rooms.Open(s.db.Pool, "")
	if err != nil {
		t.Fatal(err)
	}
	s.engine = s.db.Engine(engine.Config{})
	s.server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.rooms.Load().(http.Handler).ServeHTTP(w, r)
	}))
	base, err := web.ParseBase("http://" + s.server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s.deps = web.Deps{Base: base, Pool: s.db.Pool, Rooms: st, Engines: engines.New(s.db.Pool, engine.Config{}), Logger: quiet}
	s.serve(keys)
	s.server.Start()
	t.Cleanup(s.server.Close)
	return s
}

// serve serves the room with these keys.
func (s *site) serve(keys *proofs.Keys) {
	s.t.Helper()
	s.deps.Proofs = keys
	handler, err := web.NewHandler(web.Options{Base: s.deps.Base, Logger: quiet, Authenticate: nobody}, proofpage.Routes(s.deps))
	if err != nil {
		s.t.Fatal(err)
	}
	s.rooms.Store(handler)
}

// incident makes an effect that failed.
func (s *site) incident(a engine.Acceptance) engine.Incident {
	s.t.Helper()
	err := pgx.BeginFunc(s.t.Context(), s.db.Pool, func(tx pgx.Tx) error {
		_, err := s.engine.Accept(s.t.Context(), tx, a)
		return err
	})
	if err == nil {
		err = s.engine.Fail(s.t.Context(), a.Key, errors.New("relation does not exist"))
	}
	if err != nil {
		s.t.Fatal(err)
	}
	i, err := enginetest.IncidentOf(s.t.Context(), s.engine, a.Key)
	if err != nil {
		s.t.Fatal(err)
	}
	return i
}

func credits(event string) engine.Acceptance {
	return engine.Acceptance{
		Key:       engine.Key{Provider: "stripe", EventID: event, Effect: "credit_grant"},
		EventType: "invoice.paid",
		Subject:   "account_12345",
	}
}

func (s *site) succeed(k engine.Key) {
	s.t.Helper()
	err := pgx.BeginFunc(s.t.Context(), s.db.Pool, func(tx pgx.Tx) error { return s.engine.Succeed(s.t.Context(), tx, k) })
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) issue(i engine.Incident) (evidence.Proof, string) {
	s.t.Helper()
	p, link, err := s.deps.IssueProof(s.t.Context(), evidence.ProofRequest{Incident: i.ID, By: "ada@example.com"})
	if err != nil {
		s.t.Fatal(err)
	}
	return p, link
}

func (s *site) exec(sql string, args ...any) {
	s.t.Helper()
	if _, err := s.db.Pool.Exec(s.t.Context(), sql, args...); err != nil {
		s.t.Fatalf("%s: %v", sql, err)
	}
}

type answer struct {
	status int
	header http.Header
	body   string
}

func (s *site) ask(method, url string, header ...string) answer {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, url, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	got, err := s.server.Client().Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer got.Body.Close()
	body, err := io.ReadAll(got.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return answer{got.StatusCode, got.Header, string(body)}
}

func (s *site) get(url string) answer { s.t.Helper(); return s.ask(http.MethodGet, url) }

func (a answer) require(t *testing.T, status int, texts ...string) {
	t.Helper()
	if a.status != status {
		t.Errorf("status %d, want %d: %s", a.status, status, a.body)
	}
	for _, text := range texts {
		if !strings.Contains(a.body, text) {
			t.Errorf("the answer lacks %q:\n%s", text, a.body)
		}
	}
}

func TestTheStateAtTheTopIsHonest(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	name, contact := "Acme Credits", "help@acme.example"
	if _, err := s.deps.Projects.Set(
		t.Context(),
		"default",
		projects.Settings{PublicName: &name, SupportContact: &contact},
		nil,
		"ada",
	); err != nil {
		t.Fatal(err)
	}
	i := s.incident(credits("evt_1"))
	_, link := s.issue(i)
	s.get(link).
		require(t, 200, "Acme Credits", `href="mailto:help@acme.example"`, "<h1>We are working on it",
			"Your credits have not been added yet", "ac•••••45",
			"Everything up to entry 3 is exactly what was proven on", "A paid invoice", "Stripe")
	s.succeed(i.Key)
	s.get(link).
		require(
			t, 200, "<h1>Your credits were added <span>on <time", "The case is resolved",
			"Everything up to entry 3 is exactly what was proven on",
		)
	if strings.Contains(s.get(link).body, "was changed") {
		t.Error("it warns of nothing")
	}

	closed := s.incident(credits("evt_2"))
	if err := s.engine.CloseIncident(t.Context(), closed.ID, "ada", "paid back"); err != nil {
		t.Fatal(err)
	}
	_, link = s.issue(closed)
	s.get(link).require(t, 200, "Our team settled this in another way")
}

// Entries that the proof was issued for cannot be removed or altered without the
// page saying so.
func TestAlterationsSinceTheProofAreShown(t *testing.T) {
	t.Parallel()
	for name, tamper := range map[string]string{
		"an entry removed": "DELETE FROM sendpromptly.entries WHERE kind = 'failure'",
		"a time altered":   "UPDATE sendpromptly.entries SET at = at - interval '1 hour' WHERE kind = 'failure'",
		"sealed again": "WITH a AS (DELETE FROM sendpromptly.seals), b AS (DELETE FROM sendpromptly.chains) DELETE " +
			"FROM sendpromptly.entries WHERE kind = 'failure'",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			i := s.incident(credits("evt_1"))
			_, link := s.issue(i)
			s.get(link+"/proof.json").require(t, 200, `"entries":`)
			s.exec(tamper)
			if _, _, err := s.engine.SealEffect(t.Context(), i.EffectID); err != nil {
				t.Fatal(err)
			}
			got := s.get(link)
			got.require(
				t,
				200,
				"Entries have been removed or changed since this link was made",
				"The record below was changed after this link was made",
			)
			if strings.Contains(got.body, "exactly what was proven") {
				t.Error("it says both")
			}
			s.get(link+"/proof.json").require(t, 409)
		})
	}
}

// The file that the page links is verified with the published keys alone.
func TestTheSavedProofVerifiesOffline(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	i := s.incident(credits("evt_1"))
	_, link := s.issue(i)
	s.succeed(i.Key)
	published := s.get(s.server.URL + "/.well-known/jwks.json")
	published.require(t, 200)
	if strings.Contains(published.body, `"d"`) {
		t.Fatal("the private key is published")
	}
	keys, err := proofs.ParseKeys([]byte(published.body))
	if err != nil {
		t.Fatal(err)
	}
	saved := s.get(link + "/proof.json")
	saved.require(t, 200)
	grant, bundle, err := proofs.NewVerifier(keys, s.server.URL).VerifyBundle([]byte(saved.body), time.Now())
	if err != nil || grant.Incident != string(i.ID) || len(bundle.Entries) != 3 {
		t.Errorf("%+v, %d entries, %v", grant, len(bundle.Entries), err)
	}
}

// After erasing, the page and the proof go on.
func TestAnErasedCustomerLeavesAValidPage(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	i := s.incident(credits("evt_1"))
	_, link := s.issue(i)
	s.succeed(i.Key)
	if erased, err := s.deps.Evidence.Erase(
		t.Context(),
		evidence.EraseRequest{Project: "default", Subject: "account_12345", By: "ada"},
	); err != nil ||
		erased.Effects != 1 {
		t.Fatal(erased, err)
	}
	got := s.get(link)
	got.require(t, 200, "exactly what was proven", "Personal details were erased", "Your credits were added")
	if strings.Contains(got.body, "•••") {
		t.Error("there is still a reference")
	}
	s.get(link+"/proof.json").require(t, 200)
}

func TestKeysRotateAndRetire(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	i := s.incident(credits("evt_1"))
	_, old := s.issue(i)
	step := proofpage.Steps(s.deps)[0]
	reload := func() {
		t.Helper()
		if err := step.Do(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	first := s.deps.Proofs.List()[0].ID()
	if _, err := s.folder.New(); err != nil {
		t.Fatal(err)
	}
	reload()
	_, link := s.issue(i)
	s.get(old).require(t, 200)
	s.get(link).require(t, 200)
	if err := s.folder.Retire(first); err != nil {
		t.Fatal(err)
	}
	reload()
	s.get(old).require(t, 404)
	s.get(link).require(t, 200)
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal([]byte(s.get(s.server.URL+"/.well-known/jwks.json").body), &set); err != nil || len(set.Keys) != 1 {
		t.Errorf("%d keys, %v", len(set.Keys), err)
	}
}

// Whoever makes a key and a link with it, such as spadmin on another machine, can
// open it at once; nobody can make the server read its keys all the time.
func TestANewKeyIsKnownAtOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	i := s.incident(credits("evt_1"))
	var reads atomic.Int32
	served, err := proofs.KeysFrom(func() ([]jws.Key, error) {
		reads.Add(1)
		keys, err := proofs.LoadKeys(string(s.folder))
		if err != nil {
			return nil, err
		}
		list := keys.List()
		slices.Reverse(list)
		return list, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	s.serve(served)
	if _, err := s.folder.New(); err != nil {
		t.Fatal(err)
	}
	elsewhere, err := proofs.LoadKeys(string(s.folder))
	if err != nil {
		t.Fatal(err)
	}
	deps := s.deps
	deps.Proofs = elsewhere
	_, link, err := deps.IssueProof(t.Context(), evidence.ProofRequest{Incident: i.ID, By: "ada@example.com"})
	if err != nil {
		t.Fatal(err)
	}
	s.get(link).require(t, 200)
	if _, err := s.folder.New(); err != nil {
		t.Fatal(err)
	}
	if err := s.folder.Retire(elsewhere.List()[0].ID()); err != nil {
		t.Fatal(err)
	}
	if err := served.Reload(); err != nil {
		t.Fatal(err)
	}
	for range 30 {
		s.get(link).require(t, 404)
	}
	if n := reads.Load(); n > 10 {
		t.Errorf("the keys were read %d times", n)
	}
}

// sign signs claims, also false ones.
func (s *site) sign(c evidence.ProofClaims) string {
	s.t.Helper()
	token, err := s.deps.Proofs.Signer().Sign(proofs.Grant{
		Issuer: c.Issuer, Incident: string(c.Incident), ID: c.JTI, IssuedAt: c.IssuedAt, ExpiresAt: c.ExpiresAt,
		Head: proofs.Head{Seq: c.HeadSeq, Hash: [32]byte(c.HeadHash)},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return token
}
