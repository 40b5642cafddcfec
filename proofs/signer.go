package proofs

import (
	"errors"
	"strings"
	"time"

	"github.com/sendpromptly/sendpromptly/proofs/jws"
)

// ErrNoKey means that no key can sign.
var ErrNoKey = errors.New("no proof key can sign: create one with spadmin proof keys new")

// Signer signs grants with the newest key.
type Signer struct{ keys *Keys }

// Sign makes the token of a grant, or returns [ErrNoKey]. It rounds both times down
// to whole seconds, so that a proof never expires later than requested.
func (s *Signer) Sign(g Grant) (string, error) {
	key, ok := s.keys.current().signing()
	if !ok {
		return "", ErrNoKey
	}
	g.IssuedAt, g.ExpiresAt = g.IssuedAt.UTC().Truncate(time.Second), g.ExpiresAt.UTC().Truncate(time.Second)
	if err := g.check(); err != nil {
		return "", err
	}
	return jws.Sign(key, Type, g.Claims())
}

// Link returns the address at which the holder opens a proof.
func Link(issuer, token string) string { return strings.TrimRight(issuer, "/") + linkPath + token }

// linkPath is the part of a link between the base URL and the token.
const linkPath = "/p/"

// SplitLink splits a link into issuer and token; ok is false if it is not a link.
func SplitLink(link string) (issuer, token string, ok bool) {
	if !strings.HasPrefix(link, "https://") && !strings.HasPrefix(link, "http://") {
		return "", "", false
	}
	at := strings.LastIndex(link, linkPath)
	if at < 0 {
		return "", "", false
	}
	return link[:at], link[at+len(linkPath):], true
}
