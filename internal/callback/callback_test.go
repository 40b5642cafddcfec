package callback

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// The vector of the wire format's documentation.
const (
	vectorSecret    = "whsec_c2VuZHByb21wdGx5LXJlcGFpci10ZXN0LXNlY3JldCE="
	vectorNonce     = "0123456789abcdef0123456789abcdef"
	vectorBody      = `{"replay_id":"rp_1"}`
	vectorSignature = "74277aee7164d998bc697965f71c5cee3b0726e063d4c96e6912d965223b6e27"
	vectorStandard  = "v1,ZzDYGnxdXBEwj9YM0Ll6Kz3NCKIkNZIES7yuGS7LaZY="
)

var vectorTime = time.Unix(1767225600, 0)

// sign makes the vector's headers, with other secrets where they are given.
func sign(t *testing.T, prefixed bool, secrets ...string) http.Header {
	t.Helper()
	if len(secrets) == 0 {
		secrets = []string{vectorSecret}
	}
	header, err := Headers(secrets, "rp_1", vectorNonce, vectorTime, []byte(vectorBody), prefixed)
	if err != nil {
		t.Fatal(err)
	}
	return header
}

func TestTheVectorHoldsInBothSchemes(t *testing.T) {
	header := sign(t, false)
	for name, want := range map[string]string{
		"X-SendPromptly-Timestamp": "1767225600",
		"X-SendPromptly-Nonce":     vectorNonce,
		"X-SendPromptly-Signature": vectorSignature,
		"webhook-id":               "rp_1",
		"webhook-timestamp":        "1767225600",
		"webhook-signature":        vectorStandard,
	} {
		if got := header.Values(name); !slices.Equal(got, []string{want}) {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	if len(header) != 6 {
		t.Errorf("other headers: %v", header)
	}
	if got := sign(t, true).Get(SignatureHeader); got != "v1="+vectorSignature {
		t.Errorf("prefixed: %q", got)
	}
}

func TestDuringRotationEachSecretSigns(t *testing.T) {
	next, other := NewSecret(), NewSecret()
	for _, prefixed := range []bool{false, true} {
		header := sign(t, prefixed, next, vectorSecret)
		for _, secret := range []string{next, vectorSecret} {
			if _, err := Verify(header, []byte(vectorBody), []string{other, secret}, vectorTime); err != nil {
				t.Errorf("prefixed %v: one of two signatures was refused: %v", prefixed, err)
			}
		}
		if _, err := Verify(header, []byte(vectorBody), []string{other}, vectorTime); err == nil {
			t.Error("a secret that signed nothing was taken")
		}
		if standard := header.Get(
			StandardSignatureHeader,
		); !strings.HasSuffix(standard, " "+vectorStandard) ||
			strings.Count(standard, "v1,") != 2 {
			t.Errorf("webhook-signature = %q", standard)
		}
	}
}

func TestNothingIsSignedByHalves(t *testing.T) {
	good := []string{vectorSecret}
	for _, test := range []struct {
		name, replayID, nonce string
		secrets               []string
	}{
		{"no secret", "rp_1", vectorNonce, nil},
		{"an empty secret", "rp_1", vectorNonce, []string{""}},
		{"a bad secret beside a good one", "rp_1", vectorNonce, []string{vectorSecret, "hush"}},
		{"no replay id", "", vectorNonce, good},
		{"no nonce", "rp_1", "", good},
		{"a short nonce", "rp_1", "0123456789abcde", good},
	} {
		t.Run(test.name, func(t *testing.T) {
			header, err := Headers(test.secrets, test.replayID, test.nonce, vectorTime, nil, false)
			if err == nil || header != nil {
				t.Errorf("%s: %v, %v", test.name, header, err)
			} else if strings.Contains(err.Error(), "hush") {
				t.Errorf("%q holds a secret", err)
			}
		})
	}
}

func set(name, value string) func(http.Header) { return func(h http.Header) { h.Set(name, value) } }

func signature(value string) func(http.Header) { return set(SignatureHeader, value) }

var zeros = strings.Repeat("0", 64)

var verifyTests = []struct {
	name    string
	change  func(http.Header)
	body    string
	secrets []string
	late    time.Duration
	reason  string // empty: accepted
}{
	{name: "as signed"},
	{name: "at the end of the tolerance", late: Tolerance},
	{name: "at the beginning of the tolerance", late: -Tolerance},
	{name: "stale", late: Tolerance + 1, reason: "too old"},
	{name: "future", late: -Tolerance - 1, reason: "future"},
	{name: "altered body", body: vectorBody + " ", reason: "none of the secrets"},
	{name: "another secret", secrets: []string{NewSecret()}, reason: "none of the secrets"},
	{name: "an empty secret beside the right one", secrets: []string{"", vectorSecret}},
	{name: "no secret", secrets: []string{}, reason: "no secret"},
	{name: "only an empty secret", secrets: []string{""}, reason: "no secret"},
	{name: "no timestamp", change: func(h http.Header) { h.Del(TimestampHeader) }, reason: "missing"},
	{name: "two timestamps", change: func(h http.Header) { h.Add(TimestampHeader, "1767225600") }, reason: "more than once"},
	{name: "another timestamp", change: set(TimestampHeader, "1767225601"), reason: "none of the secrets"},
	{name: "empty timestamp", change: set(TimestampHeader, ""), reason: "timestamp is malformed"},
	{name: "timestamp with a sign", change: set(TimestampHeader, "+1767225600"), reason: "timestamp is malformed"},
	{name: "timestamp with a leading zero", change: set(TimestampHeader, "01767225600"), reason: "timestamp is malformed"},
	{name: "timestamp with a fraction", change: set(TimestampHeader, "1767225600.5"), reason: "timestamp is malformed"},
	{name: "timestamp at 2^63", change: set(TimestampHeader, "9223372036854775808"), reason: "timestamp is malformed"},
	{name: "timestamp at -2^63", change: set(TimestampHeader, "-9223372036854775808"), reason: "timestamp is malformed"},
	{name: "timestamp as far as it goes", change: set(TimestampHeader, "999999999999999999"), reason: "future"},
	{name: "no nonce", change: func(h http.Header) { h.Del(NonceHeader) }, reason: "missing"},
	{name: "two nonces", change: func(h http.Header) { h.Add(NonceHeader, vectorNonce) }, reason: "more than once"},
	{name: "another nonce", change: set(NonceHeader, strings.Repeat("f", 32)), reason: "none of the secrets"},
	{name: "a short nonce", change: set(NonceHeader, vectorNonce[:15]), reason: "nonce is malformed"},
	{name: "a long nonce", change: set(NonceHeader, strings.Repeat("a", 129)), reason: "nonce is malformed"},
	{name: "a nonce with a dot", change: set(NonceHeader, vectorNonce+"."), reason: "nonce is malformed"},
	{name: "a nonce in another script", change: set(NonceHeader, strings.Repeat("ü", 16)), reason: "nonce is malformed"},
	{name: "no signature", change: func(h http.Header) { h.Del(SignatureHeader) }, reason: "missing"},
	{
		name:   "two signature headers",
		change: func(h http.Header) { h.Add(SignatureHeader, vectorSignature) },
		reason: "more than once",
	},
	{name: "only the Standard Webhooks headers", change: func(h http.Header) {
		h.Del(TimestampHeader)
		h.Del(NonceHeader)
		h.Del(SignatureHeader)
	}, reason: "missing"},
	{name: "other Standard Webhooks headers", change: set(StandardSignatureHeader, "v1,AAAA")},
	{name: "prefixed", change: signature("v1=" + vectorSignature)},
	{name: "several, the last fits", change: signature(zeros + ", v1=" + vectorSignature)},
	{name: "several, the first fits", change: signature(vectorSignature + "," + zeros)},
	{name: "several, none fits", change: signature(zeros + "," + zeros), reason: "none of the secrets"},
	{name: "another version", change: signature("v2=" + vectorSignature), reason: "signature is malformed"},
	{name: "empty signature", change: signature(""), reason: "signature is malformed"},
	{name: "a trailing comma", change: signature(vectorSignature + ","), reason: "signature is malformed"},
	{name: "upper case", change: signature(strings.ToUpper(vectorSignature)), reason: "signature is malformed"},
	{name: "upper case prefix", change: signature("V1=" + vectorSignature), reason: "signature is malformed"},
	{name: "cut short", change: signature(vectorSignature[:62]), reason: "signature is malformed"},
	{name: "too long", change: signature(vectorSignature + "00"), reason: "signature is malformed"},
	{name: "no hex", change: signature(strings.Repeat("z", 64)), reason: "signature is malformed"},
	{name: "base64", change: signature(vectorStandard[3:]), reason: "signature is malformed"},
	{
		name:   "too many",
		change: signature(strings.Repeat(vectorSignature+",", 16) + vectorSignature),
		reason: "signature is malformed",
	},
}

func TestVerify(t *testing.T) {
	for _, test := range verifyTests {
		t.Run(test.name, func(t *testing.T) {
			header, body, secrets := sign(t, false), vectorBody, []string{vectorSecret}
			if test.change != nil {
				test.change(header)
			}
			if test.body != "" {
				body = test.body
			}
			if test.secrets != nil {
				secrets = test.secrets
			}
			got, err := Verify(header, []byte(body), secrets, vectorTime.Add(test.late))
			if test.reason == "" {
				if err != nil || got.Nonce != vectorNonce || !got.At.Equal(vectorTime) {
					t.Errorf("got %v, %v", got, err)
				}
				return
			}
			if !errors.Is(err, ErrSignature) || !strings.Contains(err.Error(), test.reason) || got != (Signed{}) {
				t.Errorf("got %v, %v; want %q", got, err, test.reason)
			}
			if strings.Contains(err.Error(), vectorSecret) || strings.Contains(err.Error(), vectorNonce) {
				t.Errorf("%q says too much", err)
			}
		})
	}
}

// Whatever passes holds the right signature for the right time and nonce.
func FuzzVerify(f *testing.F) {
	f.Add("1767225600", vectorNonce, vectorSignature)
	f.Add("1767225600", vectorNonce, "v1="+vectorSignature+", "+vectorSignature)
	f.Add("-1", "", ",,v1=")
	f.Fuzz(func(t *testing.T, timestamp, nonce, signature string) {
		header := http.Header{}
		header.Set(TimestampHeader, timestamp)
		header.Set(NonceHeader, nonce)
		header.Set(SignatureHeader, signature)
		_, err := Verify(header, []byte(vectorBody), []string{vectorSecret}, vectorTime)
		right := timestamp == "1767225600" && nonce == vectorNonce && strings.Contains(signature, vectorSignature)
		if err == nil && !right || err != nil && !errors.Is(err, ErrSignature) {
			t.Errorf("%q %q %q: %v", timestamp, nonce, signature, err)
		}
	})
}
