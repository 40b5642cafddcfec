package proofs

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/sendpromptly/sendpromptly/proofs/internal/canonical"
	"github.com/sendpromptly/sendpromptly/proofs/jws"
)

const (
	// Type is the typ of a token's header.
	Type = "sendpromptly-proof+jwt"
	// Audience is the aud of every token.
	Audience = "sendpromptly-proof"
	// MaxLifetime is the longest time from the issue of a proof to its expiry.
	MaxLifetime = 90 * 24 * time.Hour
	// FutureTolerance is how far the issuer's clock may be ahead. There is no
	// tolerance for the expiry of a proof.
	FutureTolerance = time.Minute
)

// maxIssuer bounds the issuer, so that every token stays far below [jws.MaxSize].
const maxIssuer = 2048

// Grant is the content of a proof. Its holder may read the timeline of one incident,
// and Head identifies the timeline at the time of issue.
type Grant struct {
	// Issuer is the base URL of the server that issued it.
	Issuer string
	// Incident is the incident's id, a UUID in lower case.
	Incident string
	// ID is the id of the proof, which revokes it: a UUID in lower case.
	ID string
	// IssuedAt and ExpiresAt are whole seconds in UTC.
	IssuedAt, ExpiresAt time.Time
	// Head is the last sealed entry at the time of issue.
	Head Head
}

// Head is an entry of a chain: its number, from 1, and its hash.
type Head struct {
	Seq  int
	Hash [32]byte
}

// Claims returns the token's payload in canonical JSON.
func (g Grant) Claims() []byte {
	return canonical.Encode(canonical.Object{
		"iss": g.Issuer, "aud": Audience, "sub": g.Incident, "jti": g.ID, "iat": g.IssuedAt.Unix(), "exp": g.ExpiresAt.Unix(),
		"head": canonical.Object{"seq": int64(g.Head.Seq), "hash": base64.RawURLEncoding.EncodeToString(g.Head.Hash[:])},
	})
}

// parseClaims reads a payload, which must contain exactly the claims of a grant.
func parseClaims(payload []byte) (Grant, error) {
	o, err := canonical.Decode(payload)
	if err != nil {
		return Grant{}, errors.New("the claims are not canonical JSON")
	}
	head, isObject := o["head"].(canonical.Object)
	if len(o) != 7 || !isObject || len(head) != 2 {
		return Grant{}, errors.New("the claims are not exactly aud, exp, head, iat, iss, jti and sub")
	}
	var c claimReader
	g := Grant{
		Issuer: c.text(o, "iss"), Incident: c.text(o, "sub"), ID: c.text(o, "jti"),
		IssuedAt: time.Unix(c.number(o, "iat"), 0).UTC(), ExpiresAt: time.Unix(c.number(o, "exp"), 0).UTC(),
		Head: Head{Seq: int(c.number(head, "seq")), Hash: c.hash(head, "hash")},
	}
	if aud := c.text(o, "aud"); c.err == nil && aud != Audience {
		return Grant{}, errors.New("aud is not " + Audience)
	}
	if c.err != nil {
		return Grant{}, c.err
	}
	return g, g.check()
}

// claimReader reads values of an object and keeps the first error.
type claimReader struct{ err error }

func (c *claimReader) fail(name string) {
	if c.err == nil {
		c.err = fmt.Errorf("%s is missing or of another type", name)
	}
}

func (c *claimReader) text(o canonical.Object, name string) string {
	s, ok := o[name].(string)
	if !ok {
		c.fail(name)
	}
	return s
}

func (c *claimReader) number(o canonical.Object, name string) int64 {
	n, ok := o[name].(int64)
	if !ok {
		c.fail(name)
	}
	return n
}

func (c *claimReader) hash(o canonical.Object, name string) (hash [32]byte) {
	raw, err := jws.Base64(c.text(o, name))
	if err != nil || len(raw) != len(hash) {
		c.fail(name)
	}
	copy(hash[:], raw)
	return hash
}

// lastSecond is the end of the year 9999.
const lastSecond = 253402300799

// check returns an error if a grant is invalid. It applies to signing and to parsing.
func (g Grant) check() error {
	issued, expires := g.IssuedAt.Unix(), g.ExpiresAt.Unix()
	switch {
	case !isPrintable(g.Issuer) || len(g.Issuer) > maxIssuer:
		return errors.New("iss is not 1 to 2048 printable ASCII characters")
	case !isID(g.Incident):
		return errors.New("sub is not a UUID in lower case")
	case !isID(g.ID):
		return errors.New("jti is not a UUID in lower case")
	case issued <= 0 || issued > lastSecond:
		return errors.New("iat is out of range")
	case expires <= issued || expires > lastSecond || expires-issued > int64(MaxLifetime/time.Second):
		return errors.New("exp is not after iat, or more than 90 days after it")
	case g.Head.Seq < 1 || g.Head.Seq > math.MaxInt32:
		return errors.New("head.seq is out of range")
	}
	return nil
}

func isPrintable(s string) bool {
	for _, c := range []byte(s) {
		if c <= ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return s != ""
}

// isID reports whether s is a UUID with dashes in lower case.
func isID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i, c := range []byte(s) {
		dash := i == 8 || i == 13 || i == 18 || i == 23
		hexadecimal := c >= '0' && c <= '9' || c >= 'a' && c <= 'f'
		if dash != (c == '-') || !dash && !hexadecimal {
			return false
		}
	}
	return true
}
