package proofs

import (
	"crypto/ed25519"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sendpromptly/sendpromptly/proofs/jws"
)

// forge signs any header and payload with a published key: only a rule of form
// can refuse it.
func forge(header, payload string) string {
	encode := base64.RawURLEncoding.EncodeToString
	input := encode([]byte(header)) + "." + encode([]byte(payload))
	private := ed25519.NewKeyFromSeed(slices.Repeat([]byte{1}, ed25519.SeedSize))
	return input + "." + encode(ed25519.Sign(private, []byte(input)))
}

func goodHeader(t testing.TB) string {
	return `{"alg":"EdDSA","kid":"` + testKey(t, 1).ID() + `","typ":"sendpromptly-proof+jwt"}`
}

func goodClaims() string { return string(testGrant().Claims()) }

// claims returns the good claims with one piece replaced.
func claims(t testing.TB, old, replacement string) string {
	t.Helper()
	if strings.Count(goodClaims(), old) != 1 {
		t.Fatalf("%q is not once in %s", old, goodClaims())
	}
	return strings.Replace(goodClaims(), old, replacement, 1)
}

// badClaims are payloads that a published key signed and that are no proofs.
func badClaims(t testing.TB) map[string]string {
	iat, exp := strconv.FormatInt(testNow.Unix(), 10), strconv.FormatInt(testGrant().ExpiresAt.Unix(), 10)
	hash := base64.RawURLEncoding.EncodeToString(append([]byte{1, 2, 3}, make([]byte, 29)...))
	bad := map[string]string{
		"nothing":          "",
		"null":             "null",
		"an array":         "[]",
		"no claims":        "{}",
		"text":             "paid",
		"two objects":      goodClaims() + goodClaims(),
		"a BOM":            "\ufeff" + goodClaims(),
		"a space before":   " " + goodClaims(),
		"a line end after": goodClaims() + "\n",
		"a NUL after":      goodClaims() + "\x00",
		"cut off":          goodClaims()[:len(goodClaims())-1],
		"not UTF-8":        claims(t, "proofs.example", "proofs\xff.example"),
		"another order": claims(t, `"aud":"sendpromptly-proof",`, "")[:len(goodClaims())-len(`"aud":"sendpromptly-proof",`)-1] +
			`,"aud":"sendpromptly-proof"}`,
		"a space": claims(
			t,
			`"aud":`,
			`"aud": `,
		),
		"an escape":        claims(t, `"aud"`, `"\u0061ud"`),
		"an escaped value": claims(t, "sendpromptly-proof", `sendpromptly\u002dproof`),
		"an escaped slash": claims(t, "https://", `https:\/\/`),

		"no exp":      claims(t, `"exp":`+exp+`,`, ""),
		"exp null":    claims(t, exp, "null"),
		"exp as text": claims(t, exp, `"`+exp+`"`),
		"exp 2^63": claims(
			t,
			exp,
			"9223372036854775808",
		),
		"exp 2^63-1": claims(t, exp, "9223372036854775807"),
		"exp 2^53":   claims(t, exp, "9007199254740992"),
		"exp 2^64+1": claims(
			t,
			exp,
			"18446744073709551617",
		),
		"exp a float": claims(t, exp, exp+".5"),
		"exp with .0": claims(t, exp, exp+".0"),
		"exp with an exponent": claims(
			t,
			exp,
			"1e11",
		),
		"exp negative": claims(t, exp, "-1"),
		"exp -0":       claims(t, exp, "-0"),
		"exp 0":        claims(t, exp, "0"),
		"exp with a zero before": claims(
			t,
			exp,
			"0"+exp,
		),
		"exp with a plus": claims(t, exp, "+"+exp),
		"exp hexadecimal": claims(t, exp, "0x7fffffff"),
		"exp NaN": claims(
			t,
			exp,
			"NaN",
		),
		"exp Infinity":     claims(t, exp, "Infinity"),
		"exp in 100 years": claims(t, exp, strconv.FormatInt(testNow.AddDate(100, 0, 0).Unix(), 10)),
		"exp 90 days and a second": claims(
			t,
			exp,
			strconv.FormatInt(testNow.Add(MaxLifetime+time.Second).Unix(), 10),
		),
		"exp at iat":     claims(t, exp, iat),
		"exp before iat": claims(t, exp, "1"),
		"exp a list":     claims(t, exp, "["+exp+"]"),
		"exp true":       claims(t, exp, "true"),
		"no iat": claims(
			t,
			`"iat":`+iat+`,`,
			"",
		),
		"iat 0":              claims(t, iat, "0"),
		"iat 0 and exp soon": strings.Replace(claims(t, iat, "0"), exp, "100", 1),
		"iat as text":        claims(t, iat, `"`+iat+`"`),
		"iat negative":       claims(t, iat, "-5"),
		"iat a float": claims(
			t,
			iat,
			iat+".25",
		),
		"iat 2^63":            claims(t, iat, "9223372036854775808"),
		"iat after year 9999": claims(t, iat, "253402300800"),

		"no iss": claims(
			t,
			`"iss":"`+testIssuer+`",`,
			"",
		),
		"iss empty":  claims(t, testIssuer, ""),
		"iss a list": claims(t, `"`+testIssuer+`"`, `["`+testIssuer+`"]`),
		"iss a number": claims(
			t,
			`"`+testIssuer+`"`,
			"1",
		),
		"iss null":           claims(t, `"`+testIssuer+`"`, "null"),
		"iss with a control": claims(t, "/ops", `/ops\u0000`),
		"iss with a quote": claims(
			t,
			"/ops",
			`/ops\"`,
		),
		"iss too long":  claims(t, "/ops", "/"+strings.Repeat("o", 3000)),
		"iss not ASCII": claims(t, "/ops", "/öps"),
		"no aud": claims(
			t,
			`"aud":"sendpromptly-proof",`,
			"",
		),
		"another aud": claims(t, `:"sendpromptly-proof"`, `:"sendpromptly"`),
		"aud a list":  claims(t, `:"sendpromptly-proof"`, `:["sendpromptly-proof"]`),
		"two auds": claims(
			t,
			`:"sendpromptly-proof"`,
			`:["sendpromptly-proof","other"]`,
		),
		"aud in upper case": claims(t, `:"sendpromptly-proof"`, `:"Sendpromptly-proof"`),
		"aud empty":         claims(t, `:"sendpromptly-proof"`, `:""`),
		"aud null":          claims(t, `:"sendpromptly-proof"`, `:null`),
		"no sub": claims(
			t,
			`,"sub":"`+testIncident+`"`,
			"",
		),
		"sub empty":         claims(t, testIncident, ""),
		"sub in upper case": claims(t, testIncident, strings.ToUpper(testIncident)),
		"sub a path": claims(
			t,
			testIncident,
			"../../admin",
		),
		"sub with SQL":       claims(t, testIncident, "' OR 1=1 --"),
		"sub without dashes": claims(t, testIncident, strings.ReplaceAll(testIncident, "-", "")),
		"sub with braces": claims(
			t,
			testIncident,
			"{"+testIncident+"}",
		),
		"sub a number": claims(t, `"`+testIncident+`"`, "7"),
		"sub a list":   claims(t, `"`+testIncident+`"`, `["`+testIncident+`"]`),
		"no jti": claims(
			t,
			`"jti":"`+testID+`",`,
			"",
		),
		"jti empty":      claims(t, testID, ""),
		"jti with a NUL": claims(t, testID, testID+`\u0000`),
		"jti long":       claims(t, testID, strings.Repeat("a", 4000)),
		"jti a number":   claims(t, `"`+testID+`"`, "1"),

		"no head": claims(
			t,
			`"head":{"hash":"`+hash+`","seq":5},`,
			"",
		),
		"head null":  claims(t, `{"hash":"`+hash+`","seq":5}`, "null"),
		"head empty": claims(t, `{"hash":"`+hash+`","seq":5}`, "{}"),
		"head text": claims(
			t,
			`{"hash":"`+hash+`","seq":5}`,
			`"`+hash+`"`,
		),
		"head a list": claims(t, `{"hash":"`+hash+`","seq":5}`, `[5,"`+hash+`"]`),
		"head without a hash": claims(
			t,
			`"hash":"`+hash+`",`,
			"",
		),
		"head without seq":      claims(t, `,"seq":5`, ""),
		"head with more":        claims(t, `"seq":5`, `"seq":5,"x":1`),
		"head in another order": claims(t, `"hash":"`+hash+`","seq":5`, `"seq":5,"hash":"`+hash+`"`),
		"seq 0": claims(
			t,
			`"seq":5`,
			`"seq":0`,
		),
		"seq negative": claims(t, `"seq":5`, `"seq":-5`),
		"seq 2^31":     claims(t, `"seq":5`, `"seq":2147483648`),
		"seq a float":  claims(t, `"seq":5`, `"seq":5.0`),
		"seq as text": claims(
			t,
			`"seq":5`,
			`"seq":"5"`,
		),
		"seq in upper case": claims(t, `"seq":5`, `"SEQ":5`),
		"seq twice":         claims(t, `"seq":5`, `"seq":5,"seq":6`),
		"hash empty": claims(
			t,
			hash,
			"",
		),
		"hash in hex":      claims(t, hash, strings.Repeat("ab", 32)),
		"hash of 31 bytes": claims(t, hash, hash[:42]),
		"hash of 33 bytes": claims(t, hash, hash+"A"),
		"hash with padding": claims(
			t,
			hash,
			hash+"=",
		),
		"hash with unused bits": claims(t, hash, hash[:42]+"B"),
		"hash with a line end":  claims(t, hash, hash+`\n`),
		"hash in base64":        claims(t, hash, "+"+hash[1:]),

		"exp twice": claims(
			t,
			`"exp":`,
			`"exp":1,"exp":`,
		),
		"sub twice":      claims(t, `"sub":`, `"sub":"`+testIncident+`","sub":`),
		"EXP beside exp": claims(t, `"aud":`, `"EXP":1,"aud":`),
		"Exp instead of exp": claims(
			t,
			`"exp":`,
			`"Exp":`,
		),
		"ſub instead of sub": claims(t, `"sub":`, `"ſub":`),
		"exp with a NUL":     claims(t, `"exp":`, `"exp\u0000":`),
	}
	for _, more := range []string{"abc", "admin", "nbf", "scope", "zip"} {
		bad["unknown claim "+more] = claims(t, `{"aud":`, `{"`+more+`":1,"aud":`)
		bad["unknown claim in order "+more] = strings.TrimSuffix(goodClaims(), "}") + `,"` + "z" + more + `":1}`
	}
	return bad
}

// The rules of form are ours: parse calls nothing of go-jose, so no version of
// it can widen what they accept.
func TestOurOwnRulesRefuseBadClaims(t *testing.T) {
	t.Parallel()
	if _, _, err := parse(forge(goodHeader(t), goodClaims())); err != nil {
		t.Fatal(err)
	}
	bad := badClaims(t)
	if len(bad) < 100 {
		t.Errorf("only %d cases", len(bad))
	}
	v := NewVerifier(testKeys(t, testKey(t, 1)), testIssuer)
	for name, payload := range bad {
		token := forge(goodHeader(t), payload)
		if _, g, err := parse(token); err == nil {
			t.Errorf("%s: %q is taken as %+v", name, payload, g)
		}
		_, err := v.Verify(token, testNow)
		if !slices.Equal(Reasons(err), []Reason{Malformed}) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// badHeaders are headers of tokens whose claims are good and that a published
// key signed.
func badHeaders(t testing.TB) map[string]string {
	t.Helper()
	id := testKey(t, 1).ID()
	tail := `"kid":"` + id + `","typ":"` + Type + `"}`
	public, err := testKey(t, 1).MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return map[string]string{
		"header: alg none":            `{"alg":"none",` + tail,
		"header: alg nOnE":            `{"alg":"nOnE",` + tail,
		"header: alg HS256":           `{"alg":"HS256",` + tail,
		"header: alg RS256":           `{"alg":"RS256",` + tail,
		"header: alg ES256":           `{"alg":"ES256",` + tail,
		"header: alg Ed25519":         `{"alg":"Ed25519",` + tail,
		"header: no alg":              `{` + tail,
		"header: another typ":         `{"alg":"EdDSA","kid":"` + id + `","typ":"JWT"}`,
		"header: typ of a media type": `{"alg":"EdDSA","kid":"` + id + `","typ":"application/` + Type + `"}`,
		"header: no typ":              `{"alg":"EdDSA","kid":"` + id + `"}`,
		"header: no kid":              `{"alg":"EdDSA","typ":"` + Type + `"}`,
		"header: a 10 kB kid":         `{"alg":"EdDSA","kid":"` + strings.Repeat("k", 10_000) + `","typ":"` + Type + `"}`,
		"header: crit":                `{"alg":"EdDSA","crit":["exp"],` + tail,
		"header: crit empty":          `{"alg":"EdDSA","crit":[],` + tail,
		"header: b64 false":           `{"alg":"EdDSA","b64":false,"crit":["b64"],` + tail,
		"header: b64 true":            `{"alg":"EdDSA","b64":true,` + tail,
		"header: jwk": `{"alg":"EdDSA","jwk":` + string(
			public,
		) + `,` + tail,
		"header: jku":       `{"alg":"EdDSA","jku":"https://example.com",` + tail,
		"header: x5u":       `{"alg":"EdDSA",` + strings.TrimSuffix(tail, "}") + `,"x5u":"https://example.com"}`,
		"header: alg twice": `{"alg":"EdDSA","alg":"EdDSA",` + tail,
		"header: Alg":       `{"Alg":"none","alg":"EdDSA",` + tail,
		"header: spaces":    `{"alg": "EdDSA",` + tail,
	}
}

func TestOurOwnRulesRefuseBadHeaders(t *testing.T) {
	t.Parallel()
	for name, header := range badHeaders(t) {
		if _, _, err := parse(forge(header, goodClaims())); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

// A key that a token brings along, or says where to fetch, is never looked at.
func TestNoRequestLeavesForATokensKey(t *testing.T) {
	t.Parallel()
	var requests atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { requests.Add(1) }))
	defer server.Close()
	v := NewVerifier(testKeys(t, testKey(t, 2)), testIssuer)
	tail := `"kid":"` + testKey(t, 1).ID() + `","typ":"` + Type + `"`
	for _, header := range []string{
		`{"alg":"EdDSA","jku":"` + server.URL + `",` + tail + `}`, `{"alg":"EdDSA",` + tail + `,"x5u":"` + server.URL + `"}`,
		`{"alg":"EdDSA","jku":"` + server.URL + `","jwk":{"kty":"OKP"},` + tail + `,"x5u":"` + server.URL + `"}`,
		`{"alg":"EdDSA","kid":"` + server.URL + `","typ":"` + Type + `"}`,
	} {
		_, err := v.Verify(forge(header, goodClaims()), testNow)
		requireReasons(t, err, Malformed)
	}
	issuer := strings.Replace(goodClaims(), testIssuer, server.URL, 1)
	_, err := v.Verify(forge(goodHeader(t), issuer), testNow)
	requireReasons(t, err, UnknownKey)
	if requests.Load() != 0 {
		t.Errorf("%d requests left", requests.Load())
	}
}

func TestLongTokensCostNothing(t *testing.T) { // not parallel: it counts allocations
	v := NewVerifier(testKeys(t, testKey(t, 1)), testIssuer)
	for _, token := range []string{
		strings.Repeat("a", 1<<20), strings.Repeat(".", 1<<20), forge(goodHeader(t), strings.Repeat("[", 1<<20)),
		strings.Repeat(sign(t, testKey(t, 1), testGrant()), 2000),
	} {
		if n := testing.AllocsPerRun(10, func() {
			if _, err := v.Verify(token, testNow); err == nil {
				t.Error("it is taken")
			}
		}); n > 10 {
			t.Errorf("%.0f allocations for a token of %d bytes", n, len(token))
		}
	}
	if jws.MaxSize != 8192 {
		t.Error("the limit is 8 KiB")
	}
}
