package callback

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"strings"
)

// secretPrefix marks a webhook secret, after Standard Webhooks.
const secretPrefix = "whsec_"

// NewSecret creates a callback secret: "whsec_" and 32 random bytes in base64.
func NewSecret() string {
	key := make([]byte, 32)
	// Read never fails: without randomness the program ends.
	_, _ = rand.Read(key)
	return secretPrefix + base64.StdEncoding.EncodeToString(key)
}

// decodeSecret decodes a secret: "whsec_" and 24 to 64 bytes (the limits of Standard Webhooks) in
// padded base64. The error never repeats the secret.
func decodeSecret(secret string) ([]byte, error) {
	text, found := strings.CutPrefix(secret, secretPrefix)
	if !found {
		return nil, errors.New("a callback secret must start with whsec_")
	}
	key, err := base64.StdEncoding.Strict().DecodeString(text)
	// The decoder skips line breaks; written again they would be gone.
	if err != nil || base64.StdEncoding.EncodeToString(key) != text {
		return nil, errors.New("a callback secret must be whsec_ and padded base64")
	}
	if len(key) < 24 || len(key) > 64 {
		return nil, errors.New("a callback secret must have 24 to 64 bytes")
	}
	return key, nil
}
