package access

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"strings"
)

// secretLength is 40 characters of 5 random bits each.
const secretLength = 40

// newSecret creates a secret that is shown once. Only its hash and its ending, by which people
// recognize it, are stored.
func newSecret(prefix string) (secret string, hash []byte, ending string) {
	text := (rand.Text() + rand.Text())[:secretLength]
	secret = prefix + text
	return secret, hashOf(secret), text[secretLength-4:]
}

func hashOf(secret string) []byte {
	sum := sha256.Sum256([]byte(secret))
	return sum[:]
}

// wellFormed refuses a malformed secret without a database query.
func wellFormed(secret, prefix string) bool {
	return len(secret) == len(prefix)+secretLength && strings.HasPrefix(secret, prefix)
}

func sameHash(a, b []byte) bool { return subtle.ConstantTimeCompare(a, b) == 1 }
