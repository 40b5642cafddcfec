package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
	"github.com/sendpromptly/sendpromptly/internal/store/evidence"
	"github.com/sendpromptly/sendpromptly/internal/store/rooms"
	"github.com/sendpromptly/sendpromptly/proofs"
)

const vectorsFile = "../proofs/testdata/vectors.json"

// runVerifier holds the verifier in JavaScript against a file of vectors.
func runVerifier(t *testing.T, file string) {
	t.Helper()
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("node is not installed")
	}
	out, err := exec.CommandContext(t.Context(), node, "verifier/vectors.mjs", file).CombinedOutput()
	if err != nil || !bytes.HasPrefix(out, []byte("all ")) {
		t.Errorf("%v\n%.4000s", err, out)
	}
	t.Logf("%s", out)
}

// Whoever has the documented format and WebCrypto comes to the same answers.
func TestAVerifierInAnotherLanguageAgreesOnTheVectors(t *testing.T) {
	runVerifier(t, vectorsFile)
}

// verifierCase is a case of the vectors.
type verifierCase struct {
	Name    string          `json:"name"`
	Text    string          `json:"text"`
	Valid   bool            `json:"valid"`
	Reasons []proofs.Reason `json:"reasons"`
	Claims  json.RawMessage `json:"claims,omitempty"`
}

// shop issues proofs of a database with spadmin.
type shop struct {
	*testing.T
	db       *enginetest.Database
	spadmin  string
	incident engine.IncidentID
	env      []string
}

// newShop makes an effect that failed and was repaired.
func newShop(t *testing.T) shop {
	t.Helper()
	db := enginetest.New(t)
	e := db.Engine(engine.Config{})
	a := engine.Acceptance{
		Key:         engine.Key{Provider: "stripe", EventID: "evt_1", Effect: "credit_grant"},
		EventType:   "invoice.paid",
		Subject:     "acct_ü",
		Merchant:    "acct_ß",
		SourceEvent: "evt_told",
		Customer:    "cus_世界",
		Objects: []string{
			"in_1",
			"order-\"7\"",
		},
		Amount:     engine.Money{Minor: 1999, Currency: "EUR"},
		OccurredAt: time.Now().Add(-time.Hour),
	}
	within := func(do func(tx pgx.Tx) error) {
		t.Helper()
		if err := pgx.BeginFunc(t.Context(), db.Pool, do); err != nil {
			t.Fatal(err)
		}
	}
	within(func(tx pgx.Tx) error { _, err := e.Accept(t.Context(), tx, a); return err })
	if err := e.Fail(t.Context(), a.Key, errors.New("no \\ \"such\" \u2028 table\t<b>&"), engine.WithCode("db")); err != nil {
		t.Fatal(err)
	}
	within(func(tx pgx.Tx) error { return e.Succeed(t.Context(), tx, a.Key) })
	incident, err := enginetest.IncidentOf(t.Context(), e, a.Key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	s := shop{
		T: t, db: db, spadmin: filepath.Join(dir, "spadmin"), incident: incident.ID,
		env: append(os.Environ(), "DATABASE_URL="+db.URL, "SENDPROMPTLY_PROOF_KEYS="+filepath.Join(dir, "keys")),
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", s.spadmin, "./cmd/spadmin")
	build.Dir = ".."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	s.run("proof", "keys", "new")
	return s
}

// run runs spadmin and returns what it prints.
func (s shop) run(args ...string) string {
	s.Helper()
	command := exec.CommandContext(s.Context(), s.spadmin, args...)
	command.Env = s.env
	out, err := command.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			s.Fatalf("spadmin %s: %v\n%s", strings.Join(args, " "), err, exit.Stderr)
		}
		s.Fatal(err)
	}
	return string(out)
}

// Fresh tokens and bundles, before and after the customer was erased, and what
// becomes of them by random changes: both verifiers say the same.
func TestAVerifierInAnotherLanguageAgreesOnFreshProofs(t *testing.T) {
	s := newShop(t)
	var created struct {
		Proof struct{ JTI string }
		URL   string
	}
	if err := json.Unmarshal([]byte(s.run("proof", "create", string(s.incident), "--json")), &created); err != nil {
		t.Fatal(err)
	}
	id := created.Proof.JTI
	_, token, _ := strings.Cut(created.URL, "/p/")
	disclose := []string{"proof", "export", id}
	for _, field := range []string{
		"event_id", "subject", "merchant", "source_event",
		"occurred_at", "deadline", "amount", "currency", "customer", "objects", "error_code", "error_message", "actor",
	} {
		disclose = append(disclose, "--disclose", field)
	}
	texts := map[string]string{
		"token":     token,
		"link":      created.URL,
		"bundle":    s.run("proof", "export", id),
		"disclosed": s.run(disclose...),
	}
	if !strings.Contains(texts["disclosed"], "cus_世界") || !strings.Contains(texts["disclosed"], "evt_told") ||
		strings.Contains(texts["bundle"], "cus_") {
		t.Errorf("what is disclosed: %s", texts["disclosed"])
	}
	st, err := rooms.Open(s.db.Pool, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := st.Evidence.Erase(
		context.WithoutCancel(t.Context()),
		evidence.EraseRequest{Project: "default", Customer: "cus_世界", By: "ada"},
	); err != nil {
		t.Fatal(err)
	}
	if texts["erased"] = s.run(disclose...); strings.Contains(texts["erased"], "cus_") {
		t.Errorf("erased, and still there: %s", texts["erased"])
	}
	jwks := s.run("proof", "keys", "list", "--json")
	keys, err := proofs.ParseKeys([]byte(jwks))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	verifier := proofs.NewVerifier(keys, "http://127.0.0.1:8787").For(string(s.incident))
	var cases []verifierCase
	valid := map[string]int{}
	for name, text := range texts {
		seed := rand.Uint64()
		t.Logf("%s: seed %d", name, seed)
		r := rand.New(rand.NewPCG(seed, 0))
		for n := range 400 {
			changed := text
			if n > 0 {
				changed = change(r, text)
			}
			c := judge(verifier, changed, now)
			c.Name = name + ": " + changed
			if c.Valid {
				valid[name]++
			}
			cases = append(cases, c)
		}
	}
	for name := range texts {
		if valid[name] != 1 {
			t.Errorf("%s: %d are valid, want only the one that was not changed", name, valid[name])
		}
	}
	file := filepath.Join(t.TempDir(), "fresh.json")
	writeVectors(
		t,
		file,
		map[string]any{
			"jwks":     json.RawMessage(jwks),
			"issuer":   "http://127.0.0.1:8787",
			"incident": s.incident,
			"at":       now.UTC(),
			"cases":    cases,
		},
	)
	runVerifier(t, file)
}

// judge is what the verifier in Go says.
func judge(v *proofs.Verifier, text string, at time.Time) verifierCase {
	c := verifierCase{Text: text, Reasons: []proofs.Reason{}}
	g, err := v.VerifyText(text, at)
	var refusal *proofs.Refusal
	if errors.As(err, &refusal) {
		c.Reasons = refusal.Reasons
		if refusal.Grant != nil {
			c.Claims = refusal.Grant.Claims()
		}
	} else if err == nil {
		c.Valid, c.Claims = true, g.Claims()
	}
	return c
}

// change changes one to three characters of a text, at random.
func change(r *rand.Rand, text string) string {
	const likely = "0123456789abcdefABCDEF-_.{}[]\":, \n\\é"
	runes := []rune(text)
	for {
		for range 1 + r.IntN(3) {
			i, c := r.IntN(len(runes)), []rune(likely)[r.IntN(len([]rune(likely)))]
			switch r.IntN(3) {
			case 0:
				runes[i] = c
			case 1:
				runes = slices.Insert(runes, i, c)
			default:
				runes = slices.Delete(runes, i, i+1)
			}
		}
		if string(runes) != text {
			return string(runes)
		}
	}
}

// writeVectors writes vectors with the entry of the committed ones.
func writeVectors(t *testing.T, file string, v map[string]any) {
	t.Helper()
	var committed struct {
		Entry json.RawMessage `json:"entry"`
	}
	text, err := os.ReadFile(vectorsFile)
	if err == nil {
		err = json.Unmarshal(text, &committed)
	}
	if err != nil {
		t.Fatal(err)
	}
	v["entry"] = committed.Entry
	if text, err = json.Marshal(v); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
}
