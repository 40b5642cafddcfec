package evidence

import (
	"encoding/base64"
	"errors"
)

// Hash is a hash of a chain. Its text form is base64url without padding, as in tokens and bundles.
type Hash []byte

// String returns the hash as text.
func (h Hash) String() string { return base64.RawURLEncoding.EncodeToString(h) }

// MarshalText implements [encoding.TextMarshaler].
func (h Hash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (h *Hash) UnmarshalText(text []byte) error {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(string(text))
	if err != nil {
		return errors.New("a hash must be base64url without padding")
	}
	*h = raw
	return nil
}
