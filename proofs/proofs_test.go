package proofs

import (
	"crypto/ed25519"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sendpromptly/sendpromptly/proofs/jws"
)

const (
	testIssuer   = "https://proofs.example.com/ops"
	testIncident = "01a20a17-009a-71c6-8eae-a46dc2e0fc74"
	testID       = "01a20a17-0fff-7abc-8def-0123456789ab"
)

// testNow is when the tests' proofs are issued.
var testNow = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// testKey is the key of a seed that is one byte again and again.
func testKey(t testing.TB, seed byte) jws.Key {
	t.Helper()
	key, err := jws.NewKey(ed25519.NewKeyFromSeed(slices.Repeat([]byte{seed}, ed25519.SeedSize)))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// testKeys holds keys, the newest last.
func testKeys(t testing.TB, keys ...jws.Key) *Keys {
	t.Helper()
	k, err := KeysFrom(func() ([]jws.Key, error) { return keys, nil })
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func testGrant() Grant {
	return Grant{
		Issuer: testIssuer, Incident: testIncident, ID: testID, IssuedAt: testNow, ExpiresAt: testNow.Add(7 * 24 * time.Hour),
		Head: Head{Seq: 5, Hash: [32]byte{1, 2, 3}},
	}
}

// sign signs a grant with one key.
func sign(t testing.TB, key jws.Key, g Grant) string {
	t.Helper()
	token, err := testKeys(t, key).Signer().Sign(g)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// requireReasons fails if the error does not have exactly these reasons.
func requireReasons(t *testing.T, err error, want ...Reason) {
	t.Helper()
	if got := Reasons(err); !slices.Equal(got, want) {
		t.Errorf("reasons %v, want %v (%v)", got, want, err)
	}
}

func TestAProofSaysWhatItWasIssuedFor(t *testing.T) {
	t.Parallel()
	g := testGrant()
	token := sign(t, testKey(t, 1), g)
	if len(token) > 1024 {
		t.Errorf("a token has %d bytes: too long for a link", len(token))
	}
	for _, issuer := range []string{testIssuer, testIssuer + "/", ""} {
		got, err := NewVerifier(testKeys(t, testKey(t, 1)), issuer).Verify(token, testNow)
		if err != nil || got != g {
			t.Errorf("issuer %q: %+v, %v", issuer, got, err)
		}
	}
}

func TestTimesAreHeldToTheSecond(t *testing.T) {
	t.Parallel()
	g := testGrant()
	g.IssuedAt, g.ExpiresAt = g.IssuedAt.Add(900*time.Millisecond), g.ExpiresAt.Add(100*time.Millisecond)
	v := NewVerifier(testKeys(t, testKey(t, 1)), testIssuer)
	token := sign(t, testKey(t, 1), g)
	end := testGrant().ExpiresAt
	for _, at := range []time.Time{
		testNow, testNow.Add(-FutureTolerance),
		end.Add(-time.Nanosecond), end.Add(-time.Nanosecond).In(time.FixedZone("", 3600)),
	} {
		if _, err := v.Verify(token, at); err != nil {
			t.Errorf("at %s: %v", at, err)
		}
	}
	for at, want := range map[time.Time]Reason{
		end:                Expired,
		end.Add(time.Hour): Expired,
		testNow.Add(-FutureTolerance - time.Nanosecond): NotYetValid,
		{}: NotYetValid,
	} {
		_, err := v.Verify(token, at)
		requireReasons(t, err, want)
	}
}

func TestARefusalSaysAllThatIsWrongAndWhatWasSigned(t *testing.T) {
	t.Parallel()
	token := sign(t, testKey(t, 1), testGrant())
	_, err := NewVerifier(testKeys(t, testKey(t, 1)), "https://other.example.com").Verify(token, testNow.AddDate(1, 0, 0))
	requireReasons(t, err, WrongIssuer, Expired)
	var refusal *Refusal
	if !errors.As(err, &refusal) || refusal.Grant == nil || *refusal.Grant != testGrant() {
		t.Errorf("the grant is not told: %+v", refusal)
	}
	_, err = NewVerifier(testKeys(t, testKey(t, 2)), testIssuer).Verify(token, testNow)
	requireReasons(t, err, UnknownKey)
	if !errors.As(err, &refusal) || refusal.Grant != nil {
		t.Error("what nobody signed is told")
	}
	other := sign(t, testKey(t, 2), testGrant())
	mixed := token[:strings.LastIndex(token, ".")] + other[strings.LastIndex(other, "."):]
	_, err = NewVerifier(testKeys(t, testKey(t, 1), testKey(t, 2)), testIssuer).Verify(mixed, testNow)
	requireReasons(t, err, BadSignature)
}

func TestWhatCouldNotBeVerifiedIsNotSigned(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Grant){
		"no issuer":     func(g *Grant) { g.Issuer = "" },
		"a quote in it": func(g *Grant) { g.Issuer = `https://a"b` },
		"not ASCII":     func(g *Grant) { g.Issuer = "https://ü.example.com" },
		"a long issuer": func(g *Grant) { g.Issuer = "https://" + strings.Repeat("a", 3000) },
		"no incident":   func(g *Grant) { g.Incident = "" },
		"upper case":    func(g *Grant) { g.Incident = strings.ToUpper(g.Incident) },
		"no id":         func(g *Grant) { g.ID = "" },
		"never issued":  func(g *Grant) { g.IssuedAt = time.Time{} },
		"no end":        func(g *Grant) { g.ExpiresAt = time.Time{} },
		"the end first": func(g *Grant) { g.ExpiresAt = g.IssuedAt },
		"91 days":       func(g *Grant) { g.ExpiresAt = g.IssuedAt.Add(MaxLifetime + time.Second) },
		"after year 9999": func(g *Grant) {
			g.IssuedAt = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)
			g.ExpiresAt = g.IssuedAt.AddDate(0, 0, 2)
		},
		"no entries":          func(g *Grant) { g.Head.Seq = 0 },
		"2^31 entries":        func(g *Grant) { g.Head.Seq = 1 << 31 },
		"a negative sequence": func(g *Grant) { g.Head.Seq = -1 },
	} {
		g := testGrant()
		change(&g)
		if token, err := testKeys(t, testKey(t, 1)).Signer().Sign(g); err == nil {
			t.Errorf("%s: %s", name, token)
		}
	}
	g := testGrant()
	g.ExpiresAt = g.IssuedAt.Add(MaxLifetime)
	sign(t, testKey(t, 1), g)
}

func TestALinkIsTheBaseAndTheToken(t *testing.T) {
	t.Parallel()
	for _, base := range []string{testIssuer, testIssuer + "/", "http://127.0.0.1:8787", "https://a.example.com/p/p"} {
		issuer, token, ok := SplitLink(Link(base, "a.b.c"))
		if !ok || issuer != strings.TrimRight(base, "/") || token != "a.b.c" {
			t.Errorf("%s: %q, %q, %v", base, issuer, token, ok)
		}
	}
	for _, text := range []string{"", "a.b.c", "https://example.com/q/a.b.c", "ftp://example.com/p/a.b.c", "/p/a.b.c"} {
		if _, _, ok := SplitLink(text); ok {
			t.Errorf("%q is a link", text)
		}
	}
}
