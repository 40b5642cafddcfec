package jws

import (
	"crypto"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/go-jose/go-jose/v4"
)

// Key is an Ed25519 key. It has its private half if it can sign.
type Key struct {
	public ed25519.PublicKey
	signer crypto.Signer // nil: the key only verifies
}

// NewKey makes a key of a signer with an Ed25519 key: a private key in memory, or one
// in a KMS or HSM.
func NewKey(signer crypto.Signer) (Key, error) {
	if signer == nil {
		return Key{}, errors.New("the signer is nil")
	}
	public, ok := signer.Public().(ed25519.PublicKey)
	if !ok {
		return Key{}, errors.New("the signer's key is not Ed25519")
	}
	k, err := PublicKey(public)
	k.signer = signer
	return k, err
}

// PublicKey makes a key that only verifies.
func PublicKey(public ed25519.PublicKey) (Key, error) {
	if len(public) != ed25519.PublicKeySize {
		return Key{}, errNotEd25519
	}
	text, err := json.Marshal(jose.JSONWebKey{Key: public})
	if err != nil {
		return Key{}, err
	}
	return ParseKey(text) // refuses keys of small order, which verify any signature
}

// ParseKey reads a JWK (RFC 7517) of an Ed25519 key, public or private. If present, kid
// must be the key's thumbprint, use must be "sig" and alg EdDSA or Ed25519.
func ParseKey(text []byte) (Key, error) {
	var k jose.JSONWebKey
	if err := json.Unmarshal(text, &k); err != nil {
		return Key{}, errors.New("not a JWK")
	}
	var key Key
	switch half := k.Key.(type) {
	case ed25519.PublicKey:
		key.public = half
	case ed25519.PrivateKey:
		key.public, _ = half.Public().(ed25519.PublicKey)
		key.signer = half
	default:
		return Key{}, errNotEd25519
	}
	switch {
	case k.KeyID != "" && k.KeyID != key.ID():
		return Key{}, errors.New("kid is not the key's thumbprint")
	case k.Use != "" && k.Use != "sig" || k.Algorithm != "" && k.Algorithm != Algorithm && k.Algorithm != "Ed25519":
		return Key{}, errors.New("the key is for another use")
	}
	return key, nil
}

var errNotEd25519 = errors.New("not an Ed25519 key")

// maxKeys is the largest number of keys in a set.
const maxKeys = 100

// ParseKeySet reads a JWK set of at most 100 keys, or a single JWK. It skips keys of a
// set that are not Ed25519, as RFC 7517 (section 5) requires.
func ParseKeySet(text []byte) ([]Key, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(text, &set); err != nil {
		return nil, errors.New("not a JWK set")
	}
	if set.Keys == nil {
		k, err := ParseKey(text)
		if err != nil {
			return nil, err
		}
		return []Key{k}, nil
	}
	if len(set.Keys) > maxKeys {
		return nil, fmt.Errorf("more than %d keys", maxKeys)
	}
	var keys []Key
	for i, raw := range set.Keys {
		var kind struct {
			Kty string `json:"kty"`
			Crv string `json:"crv"`
		}
		if err := json.Unmarshal(raw, &kind); err != nil {
			return nil, fmt.Errorf("key %d: not a JWK", i+1)
		}
		if kind.Kty != "OKP" || kind.Crv != "Ed25519" {
			continue
		}
		k, err := ParseKey(raw)
		if err != nil {
			return nil, fmt.Errorf("key %d: %w", i+1, err)
		}
		keys = append(keys, k)
	}
	return keys, nil
}

// ID returns the key's thumbprint (RFC 7638): SHA-256, base64url.
func (k Key) ID() string {
	sum := sha256.Sum256([]byte(`{"crv":"Ed25519","kty":"OKP","x":"` + base64.RawURLEncoding.EncodeToString(k.public) + `"}`))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// Public returns the public half.
func (k Key) Public() ed25519.PublicKey { return k.public }

// String returns the key's id, so that logs and errors never show the private half.
func (k Key) String() string { return k.ID() }

// GoString returns the key's id.
func (k Key) GoString() string { return k.ID() }

// PublicHalf returns the key without its private half.
func (k Key) PublicHalf() Key { return Key{public: k.public} }

// Signs reports whether the key has its private half.
func (k Key) Signs() bool { return k.signer != nil }

// MarshalJSON writes the public half as a JWK. It never writes the private half.
func (k Key) MarshalJSON() ([]byte, error) {
	return json.Marshal(jose.JSONWebKey{Key: k.public, KeyID: k.ID(), Use: "sig", Algorithm: Algorithm})
}

// PrivateJWK writes a key that is in memory, with both halves, as a JWK.
func (k Key) PrivateJWK() ([]byte, error) {
	private, ok := k.signer.(ed25519.PrivateKey)
	if !ok {
		return nil, errors.New("the private half is not in memory")
	}
	return json.Marshal(jose.JSONWebKey{Key: private, KeyID: k.ID(), Use: "sig", Algorithm: Algorithm})
}
