package jws

import (
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"go/parser"
	"go/token"
	"strings"
	"testing"
)

// The example of RFC 8037, appendix A.
const (
	rfcPrivate = `{"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",` +
		`"x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`
	rfcPublic = `{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`
	rfcID     = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
	rfcToken  = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc." +
		"hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
)

const testType = "test+jwt"

func rfcKey(t *testing.T) Key {
	t.Helper()
	key, err := ParseKey([]byte(rfcPrivate))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestTheExampleOfRFC8037Verifies(t *testing.T) {
	t.Parallel()
	public, err := ParseKey([]byte(rfcPublic))
	if err != nil || public.Signs() || public.ID() != rfcID {
		t.Fatalf("the public key: %v, %v", public, err)
	}
	if private := rfcKey(t); !private.Signs() || private.ID() != rfcID {
		t.Errorf("the private key: %v", private)
	}
	message, err := Parse(rfcToken, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := message.Verify(public); err != nil {
		t.Error(err)
	}
	if string(message.Payload) != "Example of Ed25519 signing" || message.KeyID != "" {
		t.Errorf("%q, key %q", message.Payload, message.KeyID)
	}
	if _, err := Parse(rfcToken, testType); err == nil {
		t.Error("it has neither kid nor typ, and is taken where both are asked for")
	}
}

func TestWhatIsSignedVerifies(t *testing.T) {
	t.Parallel()
	key := rfcKey(t)
	for _, payload := range []string{"x", "{}", "\x00\xff", strings.Repeat("é", 2000)} {
		t.Run(fmt.Sprintf("%.8q", payload), func(t *testing.T) {
			token, err := Sign(key, testType, []byte(payload))
			if err != nil {
				t.Fatal(err)
			}
			message, err := Parse(token, testType)
			if err != nil || message.KeyID != rfcID || string(message.Payload) != payload {
				t.Fatalf("%v, %v", message, err)
			}
			if err := message.Verify(key); err != nil {
				t.Error(err)
			}
			if err := message.Verify(otherKey(t)); err == nil {
				t.Error("another key verifies")
			}
			if err := message.Verify(Key{}); err == nil {
				t.Error("no key verifies")
			}
		})
	}
	for _, payload := range [][]byte{nil, make([]byte, MaxSize)} {
		if _, err := Sign(key, testType, payload); err == nil {
			t.Errorf("a token of %d bytes of payload was made", len(payload))
		}
	}
}

func otherKey(t *testing.T) Key {
	t.Helper()
	key, err := NewKey(ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func encode(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// signed makes a token of any header with a good signature, so that only its
// form can be refused.
func signed(header, payload string) string {
	private := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	input := encode(header) + "." + encode(payload)
	return input + "." + encode(string(ed25519.Sign(private, []byte(input))))
}

// These are refused before go-jose sees them: Parse calls nothing of it.
func TestOtherFormsAreRefused(t *testing.T) {
	t.Parallel()
	id := otherKey(t).ID()
	good := signed(`{"alg":"EdDSA","kid":"`+id+`","typ":"test+jwt"}`, "{}")
	if _, err := Parse(good, testType); err != nil {
		t.Fatal(err)
	}
	segments := strings.Split(good, ".")
	head, payload, signature := segments[0], segments[1], segments[2]
	for name, token := range map[string]string{
		"nothing":                  "",
		"a dot":                    ".",
		"two dots":                 "..",
		"no signature":             head + "." + payload + ".",
		"two segments":             head + "." + payload,
		"four segments":            good + "." + signature,
		"detached":                 head + ".." + signature,
		"padding":                  good + "=",
		"padding of the payload":   head + "." + payload + "=." + signature,
		"a space before":           " " + good,
		"a line end after":         good + "\n",
		"CR LF within":             head + ".\r\n" + payload + "." + signature,
		"a line end in the middle": good[:10] + "\n" + good[10:],
		"BOM":                      "\ufeff" + good,
		"a NUL after":              good + "\x00",
		"standard alphabet": strings.NewReplacer("-", "+", "_", "/").
			Replace(head + "." + encode("\xff\xef\xbe") + "." + signature),
		"unused bits":        good[:len(good)-1] + string(good[len(good)-1]+1),
		"short signature":    head + "." + payload + "." + signature[:84],
		"long signature":     head + "." + payload + "." + encode(strings.Repeat("x", 65)),
		"two signatures":     head + "." + payload + "." + signature + signature,
		"1 MB":               head + "." + strings.Repeat("A", 1<<20) + "." + signature,
		"one byte too long":  head + "." + strings.Repeat("A", MaxSize) + "." + signature,
		"JSON serialisation": `{"payload":"` + payload + `","protected":"` + head + `","signature":"` + signature + `"}`,
		"general serialisation": `{"payload":"` + payload + `","signatures":[{"protected":"` + head +
			`","signature":"` + signature + `"}]}`,
	} {
		if _, err := Parse(token, testType); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

// A signature is one of two numbers and another modulo the group's order L:
// adding L to it gives the same equation and other bytes, which must not pass.
func TestASignatureHasOneSpelling(t *testing.T) {
	t.Parallel()
	key := rfcKey(t)
	token, err := Sign(key, testType, []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	at := strings.LastIndex(token, ".") + 1
	signature, err := Base64(token[at:])
	if err != nil {
		t.Fatal(err)
	}
	order := []byte{0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 31: 0x10}
	carry := 0
	for i, add := range order {
		sum := int(signature[32+i]) + int(add) + carry
		signature[32+i], carry = byte(sum), sum>>8
	}
	message, err := Parse(token[:at]+encode(string(signature)), testType)
	if err != nil {
		t.Fatal(err)
	}
	if err := message.Verify(key); err == nil {
		t.Error("the other spelling verifies")
	}
}

// The rules of form are in files that do not know the library: what it accepts
// cannot widen what they accept.
func TestTheRulesOfFormDoNotKnowTheLibrary(t *testing.T) {
	t.Parallel()
	for _, file := range []string{
		"jws.go", "../grant.go", "../verifier.go", "../chain.go", "../bundle_read.go",
		"../internal/canonical/decode.go", "../internal/canonical/canonical.go",
	} {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, imported := range parsed.Imports {
			if strings.Contains(imported.Path.Value, "jose") || imported.Path.Value == `"encoding/json"` {
				t.Errorf("%s imports %s", file, imported.Path.Value)
			}
		}
	}
}

func TestOtherHeadersAreRefused(t *testing.T) {
	t.Parallel()
	id := otherKey(t).ID()
	with := func(more string) string { return `{"alg":"EdDSA",` + more + `"kid":"` + id + `","typ":"test+jwt"}` }
	for _, header := range []string{
		``, `{}`, `null`, `[]`, `"EdDSA"`, `{"alg":"EdDSA"}`, `{"kid":"` + id + `","typ":"test+jwt"}`,
		`{"alg":"EdDSA","typ":"test+jwt"}`, `{"alg":"EdDSA","kid":"` + id + `"}`,
		`{"alg":"none","kid":"` + id + `","typ":"test+jwt"}`, `{"alg":"None","kid":"` + id + `","typ":"test+jwt"}`,
		`{"alg":"","kid":"` + id + `","typ":"test+jwt"}`,
		`{"alg":"HS256","kid":"` + id + `","typ":"test+jwt"}`, `{"alg":"RS256","kid":"` + id + `","typ":"test+jwt"}`,
		`{"alg":"ES256","kid":"` + id + `","typ":"test+jwt"}`,
		`{"alg":"Ed25519","kid":"` + id + `","typ":"test+jwt"}`, `{"alg":"eddsa","kid":"` + id + `","typ":"test+jwt"}`,
		`{"alg":["EdDSA"],"kid":"` + id + `","typ":"test+jwt"}`,
		`{"alg":1,"kid":"` + id + `","typ":"test+jwt"}`, `{"alg":null,"kid":"` + id + `","typ":"test+jwt"}`,
		`{"alg":"EdDSA","kid":"","typ":"test+jwt"}`, `{"alg":"EdDSA","kid":1,"typ":"test+jwt"}`,
		`{"alg":"EdDSA","kid":"` + id[:42] + `","typ":"test+jwt"}`,
		`{"alg":"EdDSA","kid":"../../etc/passwd","typ":"test+jwt"}`,
		`{"alg":"EdDSA","kid":"` + strings.Repeat("k", 10<<10) + `","typ":"test+jwt"}`,
		`{"alg":"EdDSA","kid":"` + strings.Repeat("k", 1000) + `","typ":"test+jwt"}`,
		`{"alg":"EdDSA","kid":"` + id + `","typ":"JWT"}`, `{"alg":"EdDSA","kid":"` + id + `","typ":"application/test+jwt"}`,
		`{"alg":"EdDSA","kid":"` + id + `","typ":"Test+jwt"}`,
		`{"alg":"EdDSA","kid":"` + id + `","typ":""}`, `{"alg":"EdDSA","kid":"` + id + `","typ":null}`,
		`{"alg":"EdDSA","kid":"` + id + `","typ":["test+jwt"]}`,
		with(`"b64":false,`), with(`"b64":true,`), with(`"crit":[],`), with(`"crit":["b64"],`), with(`"crit":["exp"],`),
		with(`"crit":["b64"],"b64":false,`), with(`"cty":"JWT",`), with(`"enc":"A128GCM",`),
		with(`"jku":"https://example.com/jwks.json",`), with(`"x5u":"https://example.com/cert.pem",`),
		with(`"jwk":` + rfcPublic + `,`), with(`"x5c":["MIIB"],`), with(`"x5t":"AAAA",`),
		with(`"zip":"DEF",`), with(`"nonce":"x",`), with(`"iss":"x",`), with(`"epk":{},`), with(`"alg":"EdDSA",`),
		with(`"alg":"none",`), with(`"Alg":"none",`), with(`"ALG":"none",`), with(`"Kid":"x",`),
		`{"alg":"none",` + with("")[1:], `{"alg":"EdDSA","kid":"` + id + `","typ":"test+jwt","typ":"test+jwt"}`,
		`{"alg":"EdDSA","kid":"` + id + `","typ":"test+jwt","unknown":1}`,
		`{"typ":"test+jwt","kid":"` + id + `","alg":"EdDSA"}`, `{"alg": "EdDSA","kid":"` + id + `","typ":"test+jwt"}`,
		with("") + "\n", " " + with(""), "\ufeff" + with(""), with("") + with(""), with("") + "\x00",
		`{"\u0061lg":"EdDSA","kid":"` + id + `","typ":"test+jwt"}`, `{"alg":"Ed\u0044SA","kid":"` + id + `","typ":"test+jwt"}`,
		`{"alg":"EdDSA\u0000","kid":"` + id + `","typ":"test+jwt"}`,
		with("")[:20], with("")[:len(with(""))-1], `{"alg":"EdDSA","kid":"` + id + `","typ":"test+jwt",}`,
		"{\"alg\":\"EdDSA\",\"kid\":\"" + id + "\",\"typ\":\"test+jwt\"\xff}",
	} {
		if _, err := Parse(signed(header, "{}"), testType); err == nil {
			t.Errorf("the header %q is taken", header)
		}
		if header == `{"alg":"EdDSA"}` {
			continue
		}
		if _, err := Parse(signed(header, "{}"), ""); err == nil {
			t.Errorf("the header %q is taken where alg alone is asked for", header)
		}
	}
}

// Whatever is changed in a token, one of the rules or the signature notices.
func FuzzParse(f *testing.F) {
	private := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	key, err := NewKey(private)
	if err != nil {
		f.Fatal(err)
	}
	good, err := Sign(key, testType, []byte(`{"a":1}`))
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{good, rfcToken, "", "..", good + "\n", good[:len(good)-1], `{"payload":""}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, token string) {
		message, err := Parse(token, testType)
		if err != nil {
			return
		}
		if len(token) > MaxSize || strings.Count(token, ".") != 2 || strings.ContainsAny(token, " \r\n=+/\x00") ||
			len(message.KeyID) != 43 {
			t.Errorf("%q is taken", token)
		}
		if err := message.Verify(key); err == nil && token != good {
			t.Errorf("%q verifies and was never signed", token)
		}
	})
}
