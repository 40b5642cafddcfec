package proofs

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sendpromptly/sendpromptly/proofs/jws"
)

var update = flag.Bool("update", false, "write testdata/vectors.json anew")

const vectorsFile = "testdata/vectors.json"

// vectors are for verifiers in other languages too; docs/proof-format.md
// explains them.
type vectors struct {
	// Private signed the tokens. It is published here and worth nothing.
	Private json.RawMessage `json:"private_key"`
	JWKS    json.RawMessage `json:"jwks"`
	// Issuer, Incident and At are expected where a case does not say otherwise.
	Issuer   string       `json:"issuer"`
	Incident string       `json:"incident"`
	At       time.Time    `json:"at"`
	Field    fieldVector  `json:"field"`
	Entry    entryVector  `json:"entry"`
	Cases    []caseVector `json:"cases"`
}

// fieldVector shows how a salt and a value become a commitment.
type fieldVector struct {
	EffectSalt string `json:"effect_salt_hex"`
	Seq        int    `json:"seq"`
	Name       string `json:"name"`
	Value      string `json:"value"`
	FieldSalt  string `json:"field_salt_hex"`
	Commitment string `json:"commitment_hex"`
}

// entryVector is an entry as a bundle holds it, with its hash.
type entryVector struct {
	Previous string          `json:"previous_hex"`
	Effect   json.RawMessage `json:"effect"`
	Entry    json.RawMessage `json:"entry"`
	Hash     string          `json:"hash_hex"`
}

// caseVector is a token, link or bundle, and what becomes of it.
type caseVector struct {
	Name     string          `json:"name"`
	Text     string          `json:"text"`
	Issuer   string          `json:"issuer,omitempty"`
	Incident string          `json:"incident,omitempty"`
	At       time.Time       `json:"at,omitzero"`
	JWKS     json.RawMessage `json:"jwks,omitempty"`
	Valid    bool            `json:"valid"`
	Reasons  []Reason        `json:"reasons"`
	Claims   json.RawMessage `json:"claims,omitempty"`
}

// makeVectors makes them from the tests' cases.
func makeVectors(t *testing.T) vectors {
	t.Helper()
	key := testKey(t, 1)
	private, err := key.PrivateJWK()
	if err != nil {
		t.Fatal(err)
	}
	f := field(1, "customer", "cus_ü", true)
	commitment := f.commitment()
	first := testEntries()[0]
	written, err := writeEntry(first)
	if err != nil {
		t.Fatal(err)
	}
	v := vectors{
		Private:  private,
		JWKS:     testKeys(t, key).JWKS(),
		Issuer:   testIssuer,
		Incident: testIncident,
		At:       testNow,
		Field: fieldVector{
			EffectSalt: hex.EncodeToString(testSalt),
			Seq:        1,
			Name:       f.Name,
			Value:      string(f.Value),
			FieldSalt:  hex.EncodeToString(f.Salt[:]),
			Commitment: hex.EncodeToString(commitment[:]),
		},
		Entry: entryVector{
			Previous: strings.Repeat("00", 32),
			Effect:   jsonOf(t, writeEffect(first)),
			Entry:    jsonOf(t, written),
			Hash:     hex.EncodeToString(first.Hash[:]),
		},
	}
	good := sign(t, key, testGrant())
	foreign := testKeys(t, testKey(t, 2))
	bundle, claims := string(testBundle(t)), json.RawMessage(testGrant().Claims())
	bundleClaims := json.RawMessage(withHead(testGrant(), testEntries()).Claims())
	early, late := withHead(testGrant(), testEntries()), withHead(testGrant(), testEntries())
	early.Head.Seq, late.Head.Seq = early.Head.Seq-1, late.Head.Seq+1
	v.Cases = []caseVector{
		{Name: "a good token", Text: good, Valid: true, Claims: claims},
		{Name: "its link", Text: Link(testIssuer, good), Valid: true, Claims: claims},
		{
			Name:    "a link to another server",
			Text:    Link("https://other.example.com", good),
			Reasons: []Reason{WrongIssuer},
			Claims:  claims,
		},
		{
			Name:    "a link to another server, after the end",
			Text:    Link("https://other.example.com", good),
			At:      testGrant().ExpiresAt,
			Reasons: []Reason{WrongIssuer, Expired},
			Claims:  claims,
		},
		{Name: "a link with a second slash", Text: testIssuer + "/" + linkPath + good, Reasons: []Reason{WrongIssuer}, Claims: claims},
		{Name: "a link with two marks", Text: testIssuer + "/p" + linkPath + good, Reasons: []Reason{WrongIssuer}, Claims: claims},
		{
			Name:    "a link whose mark is in the scheme's",
			Text:    "https:/" + linkPath + good,
			Reasons: []Reason{WrongIssuer},
			Claims:  claims,
		},
		{Name: "a link without a mark", Text: testIssuer + "/" + good, Reasons: []Reason{Malformed}},
		{Name: "a link with a query", Text: Link(testIssuer, good) + "?utm_source=mail", Reasons: []Reason{Malformed}},
		{
			Name:    "a link in upper case",
			Text:    "HTTPS" + strings.TrimPrefix(Link(testIssuer, good), "https"),
			Reasons: []Reason{Malformed},
		},
		{Name: "its last moment", Text: good, At: testGrant().ExpiresAt.Add(-time.Millisecond), Valid: true, Claims: claims},
		{Name: "its end", Text: good, At: testGrant().ExpiresAt, Reasons: []Reason{Expired}, Claims: claims},
		{Name: "a minute before its issue", Text: good, At: testNow.Add(-time.Minute), Valid: true, Claims: claims},
		{
			Name:    "more than a minute before",
			Text:    good,
			At:      testNow.Add(-time.Minute - time.Millisecond),
			Reasons: []Reason{NotYetValid},
			Claims:  claims,
		},
		{Name: "another issuer", Text: good, Issuer: "https://other.example.com", Reasons: []Reason{WrongIssuer}, Claims: claims},
		{Name: "another incident", Text: good, Incident: testID, Reasons: []Reason{WrongIncident}, Claims: claims},
		{
			Name:     "everything at once",
			Text:     good,
			Issuer:   "https://other.example.com",
			Incident: testID,
			At:       testNow.AddDate(1, 0, 0),
			Reasons:  []Reason{WrongIssuer, WrongIncident, Expired},
			Claims:   claims,
		},
		{Name: "another key", Text: sign(t, testKey(t, 2), testGrant()), Reasons: []Reason{UnknownKey}},
		{
			Name:    "another key's signature",
			Text:    good[:strings.LastIndex(good, ".")] + sign(t, testKey(t, 2), testGrant())[strings.LastIndex(good, "."):],
			Reasons: []Reason{BadSignature},
		},
		{Name: "the example of RFC 8037", Text: rfc8037, Reasons: []Reason{Malformed}},
		{Name: "a good bundle", Text: bundle, Valid: true, Claims: bundleClaims},
		{
			Name:    "a bundle without a trusted key",
			Text:    bundle,
			JWKS:    json.RawMessage(`{"keys":[]}`),
			Reasons: []Reason{KeyNotTrusted},
			Claims:  bundleClaims,
		},
		{Name: "a bundle with a key of its own", Text: string(signedBy2(t)), Reasons: []Reason{KeyNotTrusted}, Claims: bundleClaims},
		{Name: "the same, trusted", Text: string(signedBy2(t)), JWKS: foreign.JWKS(), Valid: true, Claims: bundleClaims},
		{
			Name:    "a bundle whose key is not the token's",
			Text:    strings.Replace(bundle, b64(bundle), b64(string(signedBy2(t))), 1),
			Reasons: []Reason{Malformed},
		},
		{Name: "a bundle after its end", Text: bundle, At: testNow.AddDate(1, 0, 0), Reasons: []Reason{Expired}, Claims: bundleClaims},
		{
			Name:    "a bundle whose value was altered",
			Text:    strings.Replace(bundle, "evt_1", "evt_2", 1),
			Reasons: []Reason{EntryAltered},
			Claims:  bundleClaims,
		},
		{
			Name:    "a bundle whose time was altered",
			Text:    strings.Replace(bundle, `"at":17673230456`, `"at":17673230457`, 1),
			Reasons: []Reason{EntryAltered},
			Claims:  bundleClaims,
		},
		{
			Name:    "a bundle without its last entry",
			Text:    strings.Replace(bundle, bundle[strings.LastIndex(bundle, `,{"at":`):strings.Index(bundle, `],"format"`)], "", 1),
			Reasons: []Reason{EntriesMissing},
			Claims:  bundleClaims,
		},
		{
			Name:    "a bundle with the token of another head",
			Text:    strings.Replace(bundle, b64(bundle), good, 1),
			Reasons: []Reason{HeadMismatch},
			Claims:  claims,
		},
		{
			Name:    "a bundle with an entry of number 0",
			Text:    strings.Replace(bundle, `"seq":1,`, `"seq":0,`, 1),
			Reasons: []Reason{Malformed},
		},
		{
			Name:    "a bundle with an entry of number 7",
			Text:    strings.Replace(bundle, `"seq":2,`, `"seq":7,`, 1),
			Reasons: []Reason{EntriesMissing},
			Claims:  bundleClaims,
		},
		{
			Name:    "a bundle with an entry of another kind",
			Text:    strings.Replace(bundle, `"kind":"failure"`, `"kind":"success"`, 1),
			Reasons: []Reason{EntryAltered},
			Claims:  bundleClaims,
		},
		{
			Name:    "a bundle with an empty cause",
			Text:    strings.Replace(bundle, `"cause":"failed"`, `"cause":""`, 1),
			Reasons: []Reason{Malformed},
		},
		{
			Name:    "a bundle with an empty kind",
			Text:    strings.Replace(bundle, `"kind":"failure"`, `"kind":""`, 1),
			Reasons: []Reason{Malformed},
		},
		{
			Name:    "a bundle with an empty provider",
			Text:    strings.Replace(bundle, `"provider":"stripe"`, `"provider":""`, 1),
			Reasons: []Reason{Malformed},
		},
		{
			Name:    "a bundle with an unknown member",
			Text:    strings.Replace(bundle, `"token":`, `"title":"","token":`, 1),
			Reasons: []Reason{Malformed},
		},
		{
			Name:     "a bundle with everything wrong",
			Text:     strings.Replace(bundle, "evt_1", "evt_2", 1),
			Issuer:   "https://other.example.com",
			Incident: testID,
			At:       testNow.AddDate(1, 0, 0),
			JWKS:     json.RawMessage(`{"keys":[]}`),
			Reasons:  []Reason{KeyNotTrusted, WrongIssuer, WrongIncident, Expired, EntryAltered},
			Claims:   bundleClaims,
		},
		{
			Name:    "a bundle with the token of a smaller number",
			Text:    strings.Replace(bundle, b64(bundle), sign(t, key, early), 1),
			Reasons: []Reason{HeadMismatch},
			Claims:  json.RawMessage(early.Claims()),
		},
		{
			Name:    "a bundle with the token of a larger number",
			Text:    strings.Replace(bundle, b64(bundle), sign(t, key, late), 1),
			Reasons: []Reason{EntriesMissing},
			Claims:  json.RawMessage(late.Claims()),
		},
		{Name: "a bundle with a space", Text: strings.Replace(bundle, ",", ", ", 1), Reasons: []Reason{Malformed}},
		{Name: "a bundle without its line end", Text: strings.TrimSuffix(bundle, "\n"), Reasons: []Reason{Malformed}},
	}
	for _, bad := range []map[string]string{badClaims(t), badHeaders(t)} {
		for _, name := range slices.Sorted(maps.Keys(bad)) {
			text := forge(goodHeader(t), bad[name])
			if strings.Contains(name, "header") {
				text = forge(bad[name], goodClaims())
			}
			if bad[name] != strings.ToValidUTF8(bad[name], "") || len(text) > 2*jws.MaxSize {
				continue // JSON cannot hold it, or it is for the tests of form alone
			}
			v.Cases = append(v.Cases, caseVector{Name: name, Text: text, Reasons: []Reason{Malformed}})
		}
	}
	for i := range v.Cases {
		if v.Cases[i].Reasons == nil {
			v.Cases[i].Reasons = []Reason{}
		}
	}
	return v
}

// rfc8037 is the token of RFC 8037, appendix A.4: well signed, and no proof.
const rfc8037 = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc." +
	"hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"

func jsonOf(t *testing.T, v any) json.RawMessage {
	t.Helper()
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	return text.Bytes()
}

// The committed vectors are what this code makes, and what it says of them.
func TestVectors(t *testing.T) {
	t.Parallel()
	made, err := json.MarshalIndent(makeVectors(t), "", " ")
	if err != nil {
		t.Fatal(err)
	}
	made = append(made, '\n')
	if *update {
		if err := os.WriteFile(vectorsFile, made, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	committed, err := os.ReadFile(vectorsFile)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(committed), string(made)); diff != "" {
		t.Errorf("run go test ./proofs -run TestVectors -update\n%s", diff)
	}
	var v vectors
	if err := json.Unmarshal(committed, &v); err != nil {
		t.Fatal(err)
	}
	if len(v.Cases) < 131 {
		t.Errorf("only %d cases", len(v.Cases))
	}
	for _, c := range v.Cases {
		g, err := v.verify(t, c)
		if !slices.Equal(Reasons(err), c.Reasons) || c.Valid != (err == nil) {
			t.Errorf("%s: %v, want %v", c.Name, err, c.Reasons)
		}
		var claims bytes.Buffer
		if len(c.Claims) > 0 {
			if err := json.Compact(&claims, c.Claims); err != nil {
				t.Fatal(err)
			}
		}
		if err == nil && claims.String() != string(g.Claims()) {
			t.Errorf("%s: %s", c.Name, g.Claims())
		}
	}
}

// verify verifies one case as a verifier of another language would.
func (v vectors) verify(t *testing.T, c caseVector) (Grant, error) {
	t.Helper()
	if c.JWKS == nil {
		c.JWKS = v.JWKS
	}
	if c.At.IsZero() {
		c.At = v.At
	}
	if c.Issuer == "" {
		c.Issuer = v.Issuer
	}
	if c.Incident == "" {
		c.Incident = v.Incident
	}
	keys, err := ParseKeys(c.JWKS)
	if err != nil {
		t.Fatal(err)
	}
	return NewVerifier(keys, c.Issuer).For(c.Incident).VerifyText(c.Text, c.At)
}

// The document spells the first case out.
func TestTheDocumentShowsTheFirstVector(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/proof-format.md")
	if err != nil {
		t.Fatal(err)
	}
	token := sign(t, testKey(t, 1), testGrant())
	for _, want := range []string{testKey(t, 1).ID(), goodHeader(t), goodClaims(), token[strings.LastIndex(token, ".")+1:]} {
		if !strings.Contains(string(page), "`"+want+"`") {
			t.Errorf("docs/proof-format.md does not show %s", want)
		}
	}
	for _, reason := range []Reason{
		Malformed, UnknownKey, BadSignature, Expired, NotYetValid, WrongIssuer, WrongIncident,
		Revoked, NotIssued, KeyNotTrusted, EntryAltered, EntriesMissing, HeadMismatch,
	} {
		if !strings.Contains(string(page), "`"+string(reason)+"`") {
			t.Errorf("docs/proof-format.md does not explain %s", reason)
		}
	}
}
