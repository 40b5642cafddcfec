// Package jws is the signature layer of proofs: compact JSON Web Signatures
// (RFC 7515) with Ed25519 (RFC 8037) only. It does not interpret claims.
//
// The package checks a token with its own rules before go-jose parses it. So a later
// version of go-jose cannot make it accept more tokens.
package jws

import (
	"encoding/base64"
	"errors"
	"strings"

	"github.com/sendpromptly/sendpromptly/proofs/internal/canonical"
)

// MaxSize is the longest token, in bytes.
const MaxSize = 8 << 10

// Algorithm is the only supported algorithm.
const Algorithm = "EdDSA"

// signatureSize is the length of an Ed25519 signature.
const signatureSize = 64

// Message is a well-formed token. Do not trust its content before [Message.Verify].
type Message struct {
	// KeyID is the thumbprint of the key that the token names.
	KeyID string
	// Payload is the unverified payload.
	Payload []byte

	token string
}

// Parse reads a token and checks its format. It has at most [MaxSize] bytes and three
// segments in canonical base64url. Its header is canonical JSON with exactly alg,
// kid and the given typ. If typ is empty, the header must be {"alg":"EdDSA"}.
func Parse(token, typ string) (Message, error) {
	if len(token) > MaxSize {
		return Message{}, errors.New("the token is longer than 8 KiB")
	}
	segments := strings.SplitN(token, ".", 4)
	if len(segments) != 3 {
		return Message{}, errors.New("the token does not have three segments separated by dots")
	}
	var raw [3][]byte
	for i, segment := range segments {
		var err error
		if raw[i], err = Base64(segment); err != nil {
			return Message{}, err
		}
		if segment == "" {
			return Message{}, errors.New("a segment is empty: detached content is not supported")
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

// Base64 decodes base64url without padding (RFC 7515, section 2). It accepts only the
// canonical spelling: no spaces, line breaks, padding or unused bits that are set.
func Base64(text string) ([]byte, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || base64.RawURLEncoding.EncodeToString(raw) != text {
		return nil, errors.New("not canonical base64url")
	}
	return raw, nil
}

// header checks a header and returns its key id.
func header(text []byte, typ string) (string, error) {
	o, err := canonical.Decode(text)
	if err != nil {
		return "", errors.New("the header is not canonical JSON")
	}
	if typ == "" {
		if len(o) != 1 || o["alg"] != Algorithm {
			return "", errors.New("the header is not only alg EdDSA")
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

// isThumbprint reports whether text is base64url of 32 bytes.
func isThumbprint(text string) bool {
	raw, err := Base64(text)
	return err == nil && len(raw) == 32
}
