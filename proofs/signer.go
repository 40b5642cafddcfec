package proofs

import (
	"errors"
	"strings"
	"time"

	"github.com/sendpromptly/sendpromptly/proofs/jws"
)

// ErrNoKey means that there is no key to sign with.
var ErrNoKey = errors.New("no proof key to sign with: make one with spadmin proof keys new")

// Signer signs grants with the newest key.
type Signer struct{ keys *Keys }

// Sign makes the token of a grant, or returns [ErrNoKey]. Times are cut to whole
// seconds: the end to an earlier one, never a later.
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

// Link is the address that a proof's holder opens.
func Link(issuer, token string) string { return strings.TrimRight(issuer, "/") + linkPath + token }

// linkPath lies between the base URL and the token.
const linkPath = "/p/"

// SplitLink takes a link apart; ok is false where it is none.
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
