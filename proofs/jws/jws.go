// Package jws is the signature layer of proofs: compact JSON Web Signatures
// (RFC 7515) with Ed25519 (RFC 8037) and nothing else. It knows no claims.
//
// A token is held against rules of our own before go-jose sees a byte of it, so
// that what is accepted does not grow with what the library accepts.
package jws

import (
	"encoding/base64"
	"errors"
	"strings"

	"github.com/sendpromptly/sendpromptly/proofs/internal/canonical"
)

// MaxSize is the longest token, in bytes.
const MaxSize = 8 << 10

// Algorithm is the only one there is.
const Algorithm = "EdDSA"

// signatureSize is the length of an Ed25519 signature.
const signatureSize = 64

// Message is a token whose form is good. Nothing in it is to be believed before
// [Message.Verify].
type Message struct {
	// KeyID is the thumbprint of the key that is said to have signed.
	KeyID string
	// Payload is what is said to be signed.
	Payload []byte

	token string
}

// Parse reads a token and holds it against the rules of form: at most [MaxSize]
// bytes, three segments in the only base64url spelling of their bytes, a header
// of exactly alg, kid and typ in canonical JSON. typ is pinned; where it is
// empty, the header must be {"alg":"EdDSA"}.
func Parse(token, typ string) (Message, error) {
	if len(token) > MaxSize {
		return Message{}, errors.New("the token is longer than 8 KiB")
	}
	segments := strings.SplitN(token, ".", 4)
	if len(segments) != 3 {
		return Message{}, errors.New("the token is not three segments with dots between")
	}
	var raw [3][]byte
	for i, segment := range segments {
		var err error
		if raw[i], err = Base64(segment); err != nil {
			return Message{}, err
		}
		if segment == "" {
			return Message{}, errors.New("a segment is empty: detached content is not known here")
		}
	}
	keyID, err := header(raw[0], typ)
	if err != nil {
		return Message{}, err
	}
	if len(raw[2]) != signatureSize {
		return Message{}, errors.New("the signature is not 64 bytes")
	}
	return Message{KeyID: keyID, Payload: raw[1], token: token}, nil
}

// Base64 decodes base64url without padding (RFC 7515, section 2). Bytes have
// one spelling: spaces, line ends, padding and set bits that are not used are
// refused.
func Base64(text string) ([]byte, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || base64.RawURLEncoding.EncodeToString(raw) != text {
		return nil, errors.New("not canonical base64url")
	}
	return raw, nil
}

// header returns the key id of a header that is exactly what it must be.
func header(text []byte, typ string) (string, error) {
	o, err := canonical.Decode(text)
	if err != nil {
		return "", errors.New("the header is not canonical JSON")
	}
	if typ == "" {
		if len(o) != 1 || o["alg"] != Algorithm {
			return "", errors.New("the header is not alg EdDSA alone")
		}
		return "", nil
	}
	keyID, _ := o["kid"].(string)
	switch {
	case len(o) != 3 || o["alg"] != Algorithm || o["typ"] != typ:
		return "", errors.New("the header is not exactly alg EdDSA, kid and typ " + typ)
	case !isThumbprint(keyID):
		return "", errors.New("kid is not a thumbprint")
	}
	return keyID, nil
}

// isThumbprint says whether text is base64url of 32 bytes.
func isThumbprint(text string) bool {
	raw, err := Base64(text)
	return err == nil && len(raw) == 32
}
