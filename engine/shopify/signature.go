package shopify

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
)

// ErrSignature is wrapped by every error of [Verify]. The error's text says why, and never contains
// a secret or the received signature.
var ErrSignature = errors.New("shopify: signature refused")

// strict accepts only one encoding of a signature: padded, and without stray bits at the end.
var strict = base64.StdEncoding.Strict()

// Sign returns the value of [SignatureHeader] for a body, for tests and demos. It is the
// HMAC-SHA256 of the body in base64; the key is the app's client secret as text.
func Sign(body []byte, secret string) string { return strict.EncodeToString(mac(secret, body)) }

// Verify checks that the body was signed with one of the secrets. Empty secrets are skipped; if
// there is no other, every body is refused. Every error wraps [ErrSignature].
func Verify(body []byte, header http.Header, secrets ...string) error {
	values := header.Values(SignatureHeader)
	switch len(values) {
	case 0:
		return refused("the header is missing")
	case 1:
	default:
		return refused("the header occurs more than once")
	}
	signature, err := strict.DecodeString(values[0])
	// The decoder skips line breaks; the length leaves no room for them.
	if err != nil || len(values[0]) != strict.EncodedLen(sha256.Size) || len(signature) != sha256.Size {
		return refused("the header is malformed")
	}
	given, good := false, false
	for _, secret := range secrets {
		if secret == "" {
			continue
		}
		given = true
		good = hmac.Equal(signature, mac(secret, body)) || good
	}
	switch {
	case !given:
		return refused("no secret is configured")
	case !good:
		return refused("it matches none of the secrets")
	}
	return nil
}

func mac(secret string, body []byte) []byte {
	h := hmac.New(sha256.New, []byte(secret))
	h.Write(body)
	return h.Sum(nil)
}

func refused(reason string) error { return fmt.Errorf("%w: %s", ErrSignature, reason) }
