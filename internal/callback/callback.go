// Package callback is the wire format of the repair callback: its signature, its body, and its
// schedule of tries. It does no I/O; the engine claims, sends and records callbacks.
//
// Each request has two signatures. Our own handlers verify the X-SendPromptly-* headers. The
// webhook-* headers follow the Standard Webhooks specification (https://www.standardwebhooks.com),
// so that any of its libraries can verify the request.
package callback

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The headers of a callback.
const (
	TimestampHeader = "X-SendPromptly-Timestamp"
	NonceHeader     = "X-SendPromptly-Nonce"
	SignatureHeader = "X-SendPromptly-Signature"

	StandardIDHeader        = "Webhook-Id"
	StandardTimestampHeader = "Webhook-Timestamp"
	StandardSignatureHeader = "Webhook-Signature"
)

// Tolerance is how far a callback's time may be before or after now.
const Tolerance = 300 * time.Second

// ErrSignature is wrapped by every error of [Verify]. The error's text says why, and never contains
// a secret or what was received.
var ErrSignature = errors.New("callback signature refused")

// Signed is what a verified request's signature covers besides the body.
type Signed struct {
	// Nonce is different in every try: one that was seen before is a replay.
	Nonce string
	// At is when the try was signed, to the second. Receivers may forget its nonce [Tolerance]
	// later.
	At time.Time
}

// Headers signs one try of a callback, with one signature per secret, in their order: there are
// several while one is being rotated. replayID becomes webhook-id; nonce and at are those of the
// try. prefixed writes "v1=" before each X-SendPromptly signature, for receivers that need it.
//
// It returns an error without a secret, for a malformed secret or nonce, and without a replay id.
// No headers are returned then.
func Headers(secrets []string, replayID, nonce string, at time.Time, body []byte, prefixed bool) (http.Header, error) {
	switch {
	case len(secrets) == 0:
		return nil, errors.New("no callback secret")
	case !isNonce(nonce):
		return nil, errors.New("a callback's nonce is 16 to 128 of A-Z, a-z, 0-9, _ and -")
	case replayID == "":
		return nil, errors.New("a callback needs its replay id")
	}
	prefix := ""
	if prefixed {
		prefix = "v1="
	}
	t := strconv.FormatInt(at.Unix(), 10)
	ours, standard := make([]string, len(secrets)), make([]string, len(secrets))
	for i, secret := range secrets {
		key, err := decodeSecret(secret)
		if err != nil {
			return nil, err
		}
		ours[i] = prefix + hex.EncodeToString(mac([]byte(secret), t, nonce, body))
		standard[i] = "v1," + base64.StdEncoding.EncodeToString(mac(key, replayID, t, body))
	}
	header := http.Header{}
	header.Set(TimestampHeader, t)
	header.Set(NonceHeader, nonce)
	header.Set(SignatureHeader, strings.Join(ours, ","))
	header.Set(StandardIDHeader, replayID)
	header.Set(StandardTimestampHeader, t)
	header.Set(StandardSignatureHeader, strings.Join(standard, " "))
	return header, nil
}

// StandardHeaders signs any webhook as Standard Webhooks specifies. id is the same for every try of
// a message.
func StandardHeaders(secret, id string, at time.Time, body []byte) (http.Header, error) {
	key, err := decodeSecret(secret)
	if err != nil {
		return nil, err
	}
	t := strconv.FormatInt(at.Unix(), 10)
	header := http.Header{}
	header.Set(StandardIDHeader, id)
	header.Set(StandardTimestampHeader, t)
	header.Set(StandardSignatureHeader, "v1,"+base64.StdEncoding.EncodeToString(mac(key, id, t, body)))
	return header, nil
}

// Verify checks that a body's X-SendPromptly signature was made with one of the secrets, at most
// [Tolerance] before or after now. Empty secrets are skipped; if there is no other, every body is
// refused. It ignores the webhook-* headers: a second algorithm would be a second way to attack.
// The caller must check that the nonce is new. Every error wraps [ErrSignature].
func Verify(header http.Header, body []byte, secrets []string, now time.Time) (Signed, error) {
	t, nonce, signatures, err := parseHeaders(header)
	if err != nil {
		return Signed{}, err
	}
	seconds, err := strconv.ParseInt(t, 10, 64)
	if err != nil {
		return Signed{}, refused("the timestamp is out of range")
	}
	at := time.Unix(seconds, 0).UTC()
	switch age := now.Sub(at); {
	case age > Tolerance:
		return Signed{}, refused("it is too old")
	case age < -Tolerance:
		return Signed{}, refused("it is from the future")
	}
	given, good := false, false
	for _, secret := range secrets {
		if secret == "" {
			continue
		}
		given = true
		want := mac([]byte(secret), t, nonce, body)
		for _, signature := range signatures {
			good = hmac.Equal(signature, want) || good
		}
	}
	switch {
	case !given:
		return Signed{}, refused("no secret is configured")
	case !good:
		return Signed{}, refused("it matches none of the secrets")
	}
	return Signed{Nonce: nonce, At: at}, nil
}

// parseHeaders reads the required headers; each must occur exactly once.
func parseHeaders(header http.Header) (t, nonce string, signatures [][]byte, err error) {
	for _, name := range []string{TimestampHeader, NonceHeader, SignatureHeader} {
		switch len(header.Values(name)) {
		case 1:
		case 0:
			return "", "", nil, refused(name + " is missing")
		default:
			return "", "", nil, refused(name + " occurs more than once")
		}
	}
	t, nonce = header.Get(TimestampHeader), header.Get(NonceHeader)
	signatures, ok := parseSignatures(header.Get(SignatureHeader))
	switch {
	case !isTime(t):
		return "", "", nil, refused("the timestamp is malformed")
	case !isNonce(nonce):
		return "", "", nil, refused("the nonce is malformed")
	case !ok:
		return "", "", nil, refused("the signature is malformed")
	}
	return t, nonce, signatures, nil
}

// maxSignatures bounds the work for an unverified header.
const maxSignatures = 16

// parseSignatures reads a comma-separated list of lower-case hex, each bare or
// after "v1=".
func parseSignatures(list string) (signatures [][]byte, ok bool) {
	for part := range strings.SplitSeq(list, ",") {
		text := strings.TrimPrefix(strings.Trim(part, " "), "v1=")
		signature, err := hex.DecodeString(text)
		if err != nil || len(signature) != sha256.Size || strings.ToLower(text) != text || len(signatures) == maxSignatures {
			return nil, false
		}
		signatures = append(signatures, signature)
	}
	return signatures, true
}

// isNonce reports whether s is 16 to 128 characters of A-Z, a-z, 0-9, "_" and "-".
func isNonce(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case c >= '0' && c <= '9', c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z', c == '_', c == '-':
		default:
			return false
		}
	}
	return len(s) >= 16 && len(s) <= 128
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

// mac is HMAC-SHA256 over first.second.body, the form that both schemes share.
func mac(key []byte, first, second string, body []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(first + "." + second + "."))
	h.Write(body)
	return h.Sum(nil)
}

func refused(reason string) error { return fmt.Errorf("%w: %s", ErrSignature, reason) }
