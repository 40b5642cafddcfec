package shopify_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/sendpromptly/sendpromptly/engine/shopify"
)

const secret = "hush"

var body = []byte(`{"id":820982911946154508}`)

// The vector was made with openssl dgst -sha256 -hmac.
const vector = "qBvrsZF7RfB1iS6BX6IHqJTp5L911P7intnPeTPsH0I="

func TestSignMakesTheDocumentedForm(t *testing.T) {
	if got := shopify.Sign(body, secret); got != vector {
		t.Errorf("got %s", got)
	}
}

func TestVerify(t *testing.T) {
	for _, test := range []struct {
		name    string
		header  []string
		body    string
		secrets []string
		reason  string // empty: accepted
	}{
		{name: "as signed"},
		{name: "altered body", body: `{"id":820982911946154509}`, reason: "none of the secrets"},
		{name: "wrong secret", secrets: []string{"other"}, reason: "none of the secrets"},
		{name: "rotated secrets, the old one fits", secrets: []string{"new", secret}},
		{name: "an empty secret beside the right one", secrets: []string{"", secret}},
		{name: "no secret", secrets: []string{}, reason: "no secret"},
		{name: "only empty secrets", header: []string{shopify.Sign(body, "")}, secrets: []string{""}, reason: "no secret"},
		{name: "no header", header: []string{}, reason: "missing"},
		{name: "empty header", header: []string{""}, reason: "malformed"},
		{name: "two headers", header: []string{vector, vector}, reason: "more than once"},
		{name: "two in one", header: []string{vector + "," + vector}, reason: "malformed"},
		{name: "without padding", header: []string{strings.TrimSuffix(vector, "=")}, reason: "malformed"},
		{name: "padded twice", header: []string{vector + "="}, reason: "malformed"},
		{name: "URL-safe alphabet", header: []string{strings.Replace(vector, "q", "-", 1)}, reason: "malformed"},
		{name: "stray bits at the end", header: []string{strings.Replace(vector, "I=", "J=", 1)}, reason: "malformed"},
		{name: "a line break", header: []string{vector[:20] + "\n" + vector[20:]}, reason: "malformed"},
		{name: "a line break in place of a letter", header: []string{vector[:20] + "\n" + vector[21:]}, reason: "malformed"},
		{name: "a space", header: []string{" " + vector}, reason: "malformed"},
		{name: "hex", header: []string{strings.Repeat("ab", 32)}, reason: "malformed"},
		{name: "cut short", header: []string{vector[:40]}, reason: "malformed"},
		{name: "too long", header: []string{vector[:40] + vector[:40]}, reason: "malformed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			header := http.Header{shopify.SignatureHeader: {vector}}
			if test.header != nil {
				header[shopify.SignatureHeader] = test.header
			}
			if test.body == "" {
				test.body = string(body)
			}
			if test.secrets == nil {
				test.secrets = []string{secret}
			}
			err := shopify.Verify([]byte(test.body), header, test.secrets...)
			if test.reason == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if !errors.Is(err, shopify.ErrSignature) || !strings.Contains(err.Error(), test.reason) {
				t.Errorf("got %v, want %q", err, test.reason)
			}
		})
	}
}

func TestRefusalsDiscloseNothing(t *testing.T) {
	err := shopify.Verify([]byte("body"), http.Header{shopify.SignatureHeader: {vector}}, secret)
	for _, kept := range []string{secret, vector, "body"} {
		if strings.Contains(err.Error(), kept) {
			t.Errorf("%q holds %q", err, kept)
		}
	}
}

// There is one way to write the right signature.
func FuzzVerify(f *testing.F) {
	f.Add(vector)
	f.Add(vector + "\n")
	f.Add("qBvrsZF7RfB1iS6BX6IHqJTp5L911P7intnPeTPsH0J=")
	f.Fuzz(func(t *testing.T, value string) {
		err := shopify.Verify(body, http.Header{shopify.SignatureHeader: {value}}, secret)
		if (err == nil) != (value == vector) {
			t.Errorf("%q: %v", value, err)
		}
		if err != nil && !errors.Is(err, shopify.ErrSignature) {
			t.Errorf("%q: %v", value, err)
		}
	})
}
