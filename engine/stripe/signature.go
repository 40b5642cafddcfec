package stripe

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// SignatureHeader is the header that carries the signature.
const SignatureHeader = "Stripe-Signature"

// Tolerance is how far a signature's time may be before or after now.
const Tolerance = 300 * time.Second

// ErrSignature is wrapped by every error of [Verify]. The error's text says why, and never contains
// a secret or the received signature.
var ErrSignature = errors.New("stripe: signature refused")

// Sign returns the value of [SignatureHeader] for a body, for tests and demos. t is at in Unix
// seconds; v1 is the HMAC-SHA256 in hex of the time, a dot and the body. The key is the whole
// secret as text.
func Sign(body []byte, secret string, at time.Time) string {
	t := strconv.FormatInt(at.Unix(), 10)
	return "t=" + t + ",v1=" + hex.EncodeToString(mac(secret, t, body))
}

// Verify checks that the body was signed with one of the secrets, at most [Tolerance] before or
// after now. Empty secrets are skipped; if there is no other, every body is refused. Unknown parts
// of the header are ignored. Every error wraps [ErrSignature].
func Verify(body []byte, header http.Header, now time.Time, secrets ...string) error {
	t, signatures, err := parseHeader(header.Values(SignatureHeader))
	if err != nil {
		return err
	}
	seconds, err := strconv.ParseInt(t, 10, 64)
	if err != nil {
		return refused("its time is out of range")
	}
	switch age := now.Sub(time.Unix(seconds, 0)); {
	case age > Tolerance:
		return refused("it is too old")
	case age < -Tolerance:
		return refused("it is from the future")
	}
	given, good := false, false
	for _, secret := range secrets {
		if secret == "" {
			continue
		}
		given = true
		want := mac(secret, t, body)
		for _, signature := range signatures {
			good = hmac.Equal(signature, want) || good
		}
	}
	switch {
	case !given:
		return refused("no secret is configured")
	case !good:
		return refused("it matches none of the secrets")
	}
	return nil
}

// parseHeader reads "t=…,v1=…[,v1=…][,other=…]". It returns the time as text, because that text was
// signed.
func parseHeader(values []string) (t string, signatures [][]byte, err error) {
	switch len(values) {
	case 0:
		return "", nil, refused("the header is missing")
	case 1:
	default:
		return "", nil, refused("the header occurs more than once")
	}
	for part := range strings.SplitSeq(values[0], ",") {
		name, value, found := strings.Cut(part, "=")
		if !found || strings.Contains(value, "=") {
			return "", nil, refused("the header is malformed")
		}
		switch name {
		case "t":
			if t != "" || !isTime(value) {
				return "", nil, refused("the header's time is malformed")
			}
			t = value
		case "v1":
			// A signature that is not 32 bytes of hex cannot match; another one may.
			if signature, err := hex.DecodeString(value); err == nil && len(signature) == sha256.Size {
				signatures = append(signatures, signature)
			}
		}
	}
	switch {
	case t == "":
		return "", nil, refused("the header has no time")
	case len(signatures) == 0:
		return "", nil, refused("the header has no v1 signature")
	}
	return t, signatures, nil
}

// isTime accepts only one way to write a number of seconds: no sign, no leading zero, and short
// enough for an int64.
func isTime(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != "" && len(s) <= 18 && (s[0] != '0' || s == "0")
}

func mac(secret, t string, body []byte) []byte {
	h := hmac.New(sha256.New, []byte(secret))
	h.Write([]byte(t))
	h.Write([]byte("."))
	h.Write(body)
	return h.Sum(nil)
}

func refused(reason string) error { return fmt.Errorf("%w: %s", ErrSignature, reason) }
