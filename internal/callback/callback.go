// Package callback is the wire form of the repair callback: how it is signed
// and verified, what its body says, and when it is tried again. It does no
// I/O: the engine claims, sends and records.
//
// Two signatures travel with each request. X-SendPromptly-* is the one that
// our own handlers verify; the webhook-* headers follow the Standard Webhooks
// specification (https://www.standardwebhooks.com), so that any of its
// libraries verifies the same request.
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

// Tolerance is how far a callback's time may be from now, on either side.
const Tolerance = 300 * time.Second

// ErrSignature is wrapped by every refusal of a signature. The text around it
// names the reason and never a secret or what was received.
var ErrSignature = errors.New("callback signature refused")

// Signed is what a verified request proved besides its body.
type Signed struct {
	// Nonce differs from try to try: one that was seen before is a replay.
	Nonce string
	// At is when the try was signed, to the second. Its nonce need not be
	// remembered longer than [Tolerance] after it.
	At time.Time
}

// Headers signs one try of a callback: one signature a secret, in their order,
// while one is being rotated. replayID becomes webhook-id; nonce and at are
// those of the try. prefixed writes "v1=" before each X-SendPromptly
// signature, for receivers that want it.
//
// Errors: no secret, or one of another form, a nonce that no receiver would
// take, no replay id. Nothing is ever signed by halves.
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

// StandardHeaders signs any webhook after Standard Webhooks alone. id is the
// same for every try of a message.
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

// Verify checks the X-SendPromptly signature of a body: made with one of the
// secrets, no longer than [Tolerance] before or after now. Empty secrets are
// skipped; without any other, everything is refused. The webhook-* headers are
// not looked at: two algorithms would be two ways in. That the nonce is new is
// for the caller to check. Every error wraps [ErrSignature].
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
		return Signed{}, refused("it fits none of the secrets")
	}
	return Signed{Nonce: nonce, At: at}, nil
}

// parseHeaders reads what must be there, each header exactly once.
func parseHeaders(header http.Header) (t, nonce string, signatures [][]byte, err error) {
	for _, name := range []string{TimestampHeader, NonceHeader, SignatureHeader} {
		switch len(header.Values(name)) {
		case 1:
		case 0:
			return "", "", nil, refused(name + " is missing")
		default:
			return "", "", nil, refused(name + " is there more than once")
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

// maxSignatures bounds the work that an unverified header can ask for.
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

// isNonce wants 16 to 128 characters of A-Z, a-z, 0-9, "_" and "-".
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

// isTime wants the one way of writing a number of seconds: no sign, no leading
// zero, and short enough for an int64.
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
