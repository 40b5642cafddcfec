package access

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"strings"
)

// secretLength is 40 characters of 5 random bits each.
const secretLength = 40

// newSecret makes a secret that is shown once, with what is kept of it: its
// hash, and its end, by which people tell it from others.
func newSecret(prefix string) (secret string, hash []byte, ending string) {
	text := (rand.Text() + rand.Text())[:secretLength]
	secret = prefix + text
	return secret, hashOf(secret), text[secretLength-4:]
}

func hashOf(secret string) []byte {
	sum := sha256.Sum256([]byte(secret))
	return sum[:]
}

// wellFormed turns away what cannot be one of ours before a database is asked.
func wellFormed(secret, prefix string) bool {
	return len(secret) == len(prefix)+secretLength && strings.HasPrefix(secret, prefix)
}

func sameHash(a, b []byte) bool { return subtle.ConstantTimeCompare(a, b) == 1 }
