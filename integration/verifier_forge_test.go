package integration

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sendpromptly/sendpromptly/proofs"
	"github.com/sendpromptly/sendpromptly/proofs/jws"
)

// forger makes proofs that nobody would issue and signs them all the same, so
// that both verifiers have to look past the signature.
type forger struct {
	*rand.Rand
	keys           []ed25519.PrivateKey
	header, claims map[string]any // of a token
	bundle         map[string]any
	bundled        map[string]any // the claims of its token
}

// newForger begins with the good cases of the vectors.
func newForger(t *testing.T, seed uint64, private string, good, bundle verifierCase) forger {
	t.Helper()
	f := forger{
		Rand: rand.New(
			rand.NewPCG(seed, 0),
		),
		claims:  tree(t, string(good.Claims)),
		bundle:  tree(t, bundle.Text),
		bundled: tree(t, string(bundle.Claims)),
		header:  map[string]any{"alg": "EdDSA", "typ": proofs.Type},
	}
	var jwk struct{ D string }
	if err := json.Unmarshal([]byte(private), &jwk); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{jwk.D, base64.RawURLEncoding.EncodeToString(bytes.Repeat([]byte{9}, ed25519.SeedSize))} {
		raw, err := base64.RawURLEncoding.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		f.keys = append(f.keys, ed25519.NewKeyFromSeed(raw))
	}
	return f
}

// tree reads JSON with its numbers as they are.
func tree(t *testing.T, text string) map[string]any {
	t.Helper()
	var o map[string]any
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&o); err != nil {
		t.Fatal(err)
	}
	return o
}

// canonical writes a tree as the format wants it.
func canonical(o any) string {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	if err := e.Encode(o); err != nil {
		panic(err) // trees are made of what was read
	}
	return strings.NewReplacer(`\u2028`, "\u2028", `\u2029`, "\u2029").Replace(strings.TrimSuffix(text.String(), "\n"))
}

// copyOf copies a tree.
func copyOf(v any) any {
	switch v := v.(type) {
	case map[string]any:
		c := map[string]any{}
		for name, value := range v {
			c[name] = copyOf(value)
		}
		return c
	case []any:
		c := make([]any, len(v))
		for i := range v {
			c[i] = copyOf(v[i])
		}
		return c
	}
	return v
}

// odd are values that readers like to understand in different ways.
var odd = []any{
	"",
	"x",
	"\x00",
	"\u2028é😀\ufeff\x7f",
	"EdDSA",
	"objects",
	"0",
	strings.Repeat("A", 43),
	strings.Repeat("A", 42) + "B",
	"AAAA",
	"https://proofs.example.com/ops/",
	"HTTP://x",
	json.Number(
		"0",
	),
	json.Number("1"),
	json.Number("-1"),
	json.Number("-0"),
	json.Number("1.0"),
	json.Number("1e3"),
	json.Number("2147483647"),
	json.Number("2147483648"),
	json.Number("253402300799"),
	json.Number(
		"253402300800",
	),
	json.Number("9007199254740991"),
	json.Number("9007199254740992"),
	json.Number("9223372036854775808"),
	true,
	false,
	nil,
	[]any{},
	map[string]any{},
	[]any{"a", ""},
}

var names = []string{
	"",
	"alg",
	"crit",
	"__proto__",
	"constructor",
	"toString",
	"exp",
	"Exp",
	"value",
	"salt",
	"commitment",
	"name",
	"state",
	"cause",
	"event_type",
	"é",
	"length",
}

// odd picks one of them.
func (f forger) odd() any { return copyOf(odd[f.IntN(len(odd))]) }

// bend changes one place of a tree.
func (f forger) bend(v any) any {
	switch v := v.(type) {
	case map[string]any:
		keys := slices.Sorted(maps.Keys(v))
		switch n := f.IntN(10); {
		case n == 0:
			v[names[f.IntN(len(names))]] = f.odd()
		case len(keys) == 0 || n == 1:
			return f.odd()
		case n == 2:
			delete(v, keys[f.IntN(len(keys))])
		default:
			name := keys[f.IntN(len(keys))]
			v[name] = f.bend(v[name])
		}
		return v
	case []any:
		switch n := f.IntN(8); {
		case len(v) == 0 || n == 0:
			return slices.Insert(v, f.IntN(len(v)+1), f.odd())
		case n == 1:
			i := f.IntN(len(v))
			return slices.Delete(v, i, i+1)
		case n == 2:
			i, j := f.IntN(len(v)), f.IntN(len(v))
			v[i], v[j] = v[j], v[i]
		case n == 3:
			return append(v, copyOf(v[f.IntN(len(v))]))
		default:
			i := f.IntN(len(v))
			v[i] = f.bend(v[i])
		}
		return v
	case string:
		if runes := []rune(v); len(runes) > 0 && f.IntN(3) > 0 { // another of its kind
			i := f.IntN(len(runes))
			runes[i] = []rune("0123456789abcdefABZ-_é")[f.IntN(22)]
			return string(runes)
		}
	case json.Number:
		if n, err := v.Int64(); err == nil && f.IntN(3) > 0 {
			return json.Number(strconv.FormatInt(n+f.Int64N(7)-3, 10))
		}
	}
	return f.odd()
}

// sometimes bends a copy, or does not.
func (f forger) sometimes(v any) any {
	v = copyOf(v)
	for f.IntN(5) < 2 {
		v = f.bend(v)
	}
	return v
}

// sign signs any header and claims with one of the keys.
func (f forger) sign(header, claims any) (string, ed25519.PrivateKey) {
	key := f.keys[0]
	if f.IntN(8) == 0 {
		key = f.keys[1]
	}
	public, err := jws.NewKey(key)
	if err != nil {
		panic(err)
	}
	if h, isObject := header.(map[string]any); isObject {
		h["kid"] = public.ID()
	}
	encode := base64.RawURLEncoding.EncodeToString
	input := encode([]byte(canonical(header))) + "." + encode([]byte(canonical(claims)))
	return input + "." + encode(ed25519.Sign(key, []byte(input))), key
}

// token makes a token, a link or something of the kind.
func (f forger) token() string {
	header, claims := copyOf(f.header), f.sometimes(f.claims)
	if f.IntN(4) == 0 {
		header = f.bend(header)
	}
	token, _ := f.sign(header, claims)
	base, _ := f.claims["iss"].(string)
	if f.IntN(2) == 0 {
		return token
	}
	frame := []string{
		"",
		"",
		"",
		base + "/p/",
		base + "/p/",
		base + "//p/",
		base + "/",
		"https://other.example.com/p/",
		base + "/p/p/",
		"https:/",
		"https://p/",
		"http:///p/",
		"HTTPS://x/p/",
		"x" + base + "/p/",
		base + "\n/p/",
		" " + base + "/p/",
	}
	return frame[f.IntN(len(frame))] + token + []string{"", "", "", "", "", "\n", " ", "/", "#", "?a=/p/", "="}[f.IntN(11)]
}

// bundleText makes a bundle; where its form is good, often one whose chain and token fit.
func (f forger) bundleText() string {
	bent := f.sometimes(f.bundle)
	o, isObject := bent.(map[string]any)
	if !isObject {
		return canonical(bent) + "\n"
	}
	claims := copyOf(f.bundled)
	if f.IntN(4) == 0 {
		claims = f.bend(claims)
	}
	b, err := proofs.ParseBundle([]byte(canonical(bent) + "\n"))
	if err == nil && f.IntN(3) > 0 {
		f.rehash(o, b.Entries, claims)
	}
	var key ed25519.PrivateKey
	if o["token"], key = f.sign(copyOf(f.header), claims); err == nil && f.IntN(4) > 0 {
		public, keyErr := jws.PublicKey(key.Public().(ed25519.PublicKey))
		if keyErr != nil {
			panic(keyErr)
		}
		text, marshalErr := json.Marshal(public)
		if marshalErr != nil {
			panic(marshalErr)
		}
		var jwk map[string]any
		if err := json.Unmarshal(text, &jwk); err != nil {
			panic(err)
		}
		o["jwks"] = map[string]any{"keys": []any{jwk}}
	}
	return canonical(o) + []string{"", "\r\n", "\n\n", "\n"}[min(f.IntN(20), 3)]
}

// rehash gives entries the numbers and hashes that fit, and the claims the head.
func (f forger) rehash(o map[string]any, entries []proofs.Entry, claims any) {
	previous := [32]byte{}
	for i, e := range entries {
		written := o["entries"].([]any)[i].(map[string]any)
		if f.IntN(20) > 0 {
			e.Seq = i + 1
		}
		if previous = e.HashAfter(previous); f.IntN(20) == 0 {
			previous[0]++
		}
		written["seq"], written["hash"] = json.Number(strconv.Itoa(e.Seq)), base64.RawURLEncoding.EncodeToString(previous[:])
	}
	if f.IntN(12) == 0 {
		previous[0]++
	}
	if c, isObject := claims.(map[string]any); isObject {
		c["head"] = map[string]any{
			"seq":  json.Number(strconv.Itoa(len(entries))),
			"hash": base64.RawURLEncoding.EncodeToString(previous[:]),
		}
	}
}

// Whatever somebody signs who has a key: both verifiers say the same, for the same reasons.
func TestTheVerifiersAgreeOnWhatIsSignedAndFalse(t *testing.T) {
	var v struct {
		Private          json.RawMessage `json:"private_key"`
		JWKS             json.RawMessage `json:"jwks"`
		Issuer, Incident string
		At               time.Time
		Cases            []verifierCase
	}
	text, err := os.ReadFile(vectorsFile)
	if err == nil {
		err = json.Unmarshal(text, &v)
	}
	if err != nil {
		t.Fatal(err)
	}
	named := func(name string) verifierCase {
		return v.Cases[slices.IndexFunc(v.Cases, func(c verifierCase) bool { return c.Name == name })]
	}
	keys, err := proofs.ParseKeys(v.JWKS)
	if err != nil {
		t.Fatal(err)
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	f := newForger(t, seed, string(v.Private), named("a good token"), named("a good bundle"))
	verifier := proofs.NewVerifier(keys, v.Issuer).For(v.Incident)
	var cases []map[string]any
	seen := map[string]int{}
	for n := range 4000 {
		changed, at := f.token(), v.At
		if n%2 == 0 {
			changed = f.bundleText()
		}
		if f.IntN(5) == 0 {
			at = at.Add(time.Duration(f.Int64N(int64(20*24*time.Hour))) - 10*24*time.Hour).Truncate(time.Millisecond)
		}
		c := judge(verifier, changed, at)
		for _, reason := range c.Reasons {
			seen[string(reason)]++
		}
		if c.Valid {
			seen["valid"]++
		}
		cases = append(
			cases,
			map[string]any{"name": changed, "text": changed, "at": at, "valid": c.Valid, "reasons": c.Reasons, "claims": c.Claims},
		)
	}
	t.Log(seen)
	for _, reason := range []string{
		"valid", "malformed", "unknown_key", "expired", "not_yet_valid", "wrong_issuer", "wrong_incident", "key_not_trusted",
		"entry_altered", "entries_missing", "head_mismatch",
	} {
		if seen[reason] == 0 {
			t.Errorf("none is %s", reason)
		}
	}
	file := filepath.Join(t.TempDir(), "forged.json")
	writeVectors(t, file, map[string]any{"jwks": v.JWKS, "issuer": v.Issuer, "incident": v.Incident, "at": v.At, "cases": cases})
	runVerifier(t, file)
}
