package stripe_test

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sendpromptly/sendpromptly/engine/stripe"
)

var signedAt = time.Unix(1767225600, 0)

const secret = "whsec_test_secret"

// The vector was made with openssl dgst -sha256 -hmac.
func TestSignMakesTheDocumentedForm(t *testing.T) {
	const want = "t=1767225600,v1=f6ef300ec2c3f1ea8e4bc6d2a62975f58477d6fcd4bd03529a148873f625b1ca"
	if got := stripe.Sign([]byte(`{"id":"evt_1"}`), secret, signedAt); got != want {
		t.Errorf("got %s", got)
	}
}

var (
	signed = []byte(`{"id":"evt_1"}`)
	good   = stripe.Sign(signed, secret, signedAt)
	v1     = good[len("t=1767225600,"):]
	wrong  = "v1=" + strings.Repeat("0", 64)
)

func at(seconds int) time.Time { return signedAt.Add(time.Duration(seconds) * time.Second) }

var verifyTests = []struct {
	name    string
	header  []string
	body    string
	now     time.Time
	secrets []string
	reason  string // empty: accepted
}{
	{name: "as signed"},
	{name: "upper case hex", header: []string{"t=1767225600,v1=" + strings.ToUpper(v1[3:])}},
	{name: "at the end of the tolerance", now: at(300)},
	{name: "at the beginning of the tolerance", now: at(-300)},
	{name: "stale", now: at(301), reason: "too old"},
	{name: "future", now: at(-301), reason: "future"},
	{name: "a moment too old", now: at(300).Add(time.Nanosecond), reason: "too old"},
	{name: "time zero", header: []string{"t=0," + v1}, reason: "too old"},
	{name: "time of another signature", header: []string{"t=1767225601," + v1}, reason: "none of the secrets"},
	{name: "altered body", body: `{"id":"evt_2"}`, reason: "none of the secrets"},
	{name: "shortened body", body: `{"id":"evt_1"`, reason: "none of the secrets"},
	{name: "several v1, the last fits", header: []string{"t=1767225600," + wrong + "," + v1}},
	{name: "several v1, the first fits", header: []string{"t=1767225600," + v1 + "," + wrong}},
	{name: "several v1, none fits", header: []string{"t=1767225600," + wrong + "," + wrong}, reason: "none of the secrets"},
	{name: "a v1 that is no hex beside one that fits", header: []string{"t=1767225600,v1=zz," + v1}},
	{name: "unknown parts", header: []string{"t=1767225600,v0=abc,x=," + v1 + ",=y"}},
	{name: "parts in another order", header: []string{v1 + ",t=1767225600"}},
	{name: "v0 alone", header: []string{"t=1767225600,v0=" + v1[3:]}, reason: "no v1"},
	{name: "v1 that is no hex", header: []string{"t=1767225600,v1=zz"}, reason: "no v1"},
	{name: "v1 cut short", header: []string{"t=1767225600," + v1[:65]}, reason: "no v1"},
	{name: "v1 too long", header: []string{"t=1767225600," + v1 + "00"}, reason: "no v1"},
	{name: "v1 empty", header: []string{"t=1767225600,v1="}, reason: "no v1"},
	{name: "no header", header: []string{}, reason: "missing"},
	{name: "empty header", header: []string{""}, reason: "malformed"},
	{name: "two headers", header: []string{good, good}, reason: "more than once"},
	{name: "a part without =", header: []string{good + ",v1"}, reason: "malformed"},
	{name: "a part with two =", header: []string{good + ",v0=a=b"}, reason: "malformed"},
	{name: "a trailing comma", header: []string{good + ","}, reason: "malformed"},
	{name: "no time", header: []string{v1}, reason: "no time"},
	{name: "two times", header: []string{"t=1767225600," + good}, reason: "time is malformed"},
	{name: "empty time", header: []string{"t=," + v1}, reason: "time is malformed"},
	{name: "time with a sign", header: []string{"t=+1767225600," + v1}, reason: "time is malformed"},
	{name: "negative time", header: []string{"t=-1767225600," + v1}, reason: "time is malformed"},
	{name: "time with a leading zero", header: []string{"t=01767225600," + v1}, reason: "time is malformed"},
	{name: "time with a fraction", header: []string{"t=1767225600.0," + v1}, reason: "time is malformed"},
	{name: "time with a space", header: []string{"t= 1767225600," + v1}, reason: "time is malformed"},
	{name: "time beyond 64 bits", header: []string{"t=99999999999999999999," + v1}, reason: "time is malformed"},
	{name: "time as far as it goes", header: []string{"t=999999999999999999," + v1}, reason: "future"},
	{name: "a space before the name", header: []string{"t=1767225600, " + v1}, reason: "no v1"},
	{name: "wrong secret", secrets: []string{"whsec_other"}, reason: "none of the secrets"},
	{name: "rolled secrets, the old one fits", secrets: []string{"whsec_new", secret}},
	{name: "an empty secret beside the right one", secrets: []string{"", secret}},
	{name: "no secret", secrets: []string{}, reason: "no secret"},
	{
		name:    "only empty secrets",
		header:  []string{stripe.Sign(signed, "", signedAt)},
		secrets: []string{"", ""},
		reason:  "no secret",
	},
}

func TestVerify(t *testing.T) {
	for _, test := range verifyTests {
		t.Run(test.name, func(t *testing.T) {
			header := http.Header{stripe.SignatureHeader: {good}}
			if test.header != nil {
				header[stripe.SignatureHeader] = test.header
			}
			if test.body == "" {
				test.body = string(signed)
			}
			if test.now.IsZero() {
				test.now = signedAt
			}
			if test.secrets == nil {
				test.secrets = []string{secret}
			}
			err := stripe.Verify([]byte(test.body), header, test.now, test.secrets...)
			if test.reason == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if !errors.Is(err, stripe.ErrSignature) || !strings.Contains(err.Error(), test.reason) {
				t.Errorf("got %v, want %q", err, test.reason)
			}
		})
	}
}

func TestRefusalsDiscloseNothing(t *testing.T) {
	header := http.Header{stripe.SignatureHeader: {"t=1767225600,v1=deadbeef"}}
	err := stripe.Verify([]byte("body"), header, signedAt, secret)
	for _, kept := range []string{secret, "deadbeef", "body", "1767225600"} {
		if strings.Contains(err.Error(), kept) {
			t.Errorf("%q holds %q", err, kept)
		}
	}
}

func FuzzVerify(f *testing.F) {
	body := []byte(`{}`)
	good := stripe.Sign(body, secret, signedAt)
	for _, header := range []string{good, good + "," + good, "t=1", "v1==", "t=1767225600,v1=", ",,,", "t=-1,v1=00"} {
		f.Add(header)
	}
	f.Fuzz(func(t *testing.T, header string) {
		err := stripe.Verify(body, http.Header{stripe.SignatureHeader: {header}}, signedAt, secret)
		switch {
		case err == nil:
			// Whatever passes holds the one right time and signature.
			if !strings.Contains(header, "t="+strconv.FormatInt(signedAt.Unix(), 10)) ||
				!strings.Contains(strings.ToLower(header), good[strings.Index(good, "v1="):]) {
				t.Errorf("%q was accepted", header)
			}
		case !errors.Is(err, stripe.ErrSignature):
			t.Errorf("%q: %v", header, err)
		}
	})
}
