package proofs

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/sendpromptly/sendpromptly/proofs/jws"
)

// Reason is a word for why a proof is not valid. The words are part of the
// format: programs may compare them.
type Reason string

// The reasons.
const (
	// Malformed is a token or bundle that breaks a rule of form.
	Malformed Reason = "malformed"
	// UnknownKey is a token signed by a key that is not published, or not any more.
	UnknownKey Reason = "unknown_key"
	// BadSignature is a signature that does not verify.
	BadSignature Reason = "bad_signature"
	// Expired is a proof whose end has come.
	Expired Reason = "expired"
	// NotYetValid is a proof from the future.
	NotYetValid Reason = "not_yet_valid"
	// WrongIssuer is a proof of another server.
	WrongIssuer Reason = "wrong_issuer"
	// WrongIncident is a proof for another incident.
	WrongIncident Reason = "wrong_incident"
	// Revoked is a proof that was withdrawn.
	Revoked Reason = "revoked"
	// NotIssued is a proof that the store does not know.
	NotIssued Reason = "not_issued"
	// KeyNotTrusted is a bundle that is consistent in itself, and no more.
	KeyNotTrusted Reason = "key_not_trusted"
	// EntryAltered is an entry whose hash is not the hash of what it holds.
	EntryAltered Reason = "entry_altered"
	// EntriesMissing is a chain that does not hold all entries up to the head.
	EntriesMissing Reason = "entries_missing"
	// HeadMismatch is a chain that ends in another hash than the proof's head.
	HeadMismatch Reason = "head_mismatch"
)

// Refusal says why a proof is not valid.
type Refusal struct {
	// Reasons has at least one.
	Reasons []Reason
	// Detail is for people.
	Detail string
	// Grant is what the proof says where its signature holds, else nil.
	Grant *Grant
}

func (r *Refusal) Error() string {
	words := make([]string, len(r.Reasons))
	for i, reason := range r.Reasons {
		words[i] = string(reason)
	}
	text := "the proof is not valid: " + strings.Join(words, ", ")
	if r.Detail != "" {
		text += ": " + r.Detail
	}
	return text
}

// Reasons are the reasons of an error of this package; other errors have none.
func Reasons(err error) []Reason {
	var r *Refusal
	if errors.As(err, &r) {
		return slices.Clone(r.Reasons)
	}
	return nil
}

func refuse(reason Reason, detail string) error {
	return &Refusal{Reasons: []Reason{reason}, Detail: detail}
}

// Verifier checks tokens and bundles with the keys that are published now. It is
// safe for concurrent use.
type Verifier struct {
	keys             *Keys
	issuer, incident string
}

// NewVerifier makes a verifier for the proofs of one issuer, the base URL. An
// empty issuer accepts those of any: it is for a key set that is the issuer's
// alone. Without keys, which may be nil, nothing is valid.
func NewVerifier(keys *Keys, issuer string) *Verifier {
	return &Verifier{keys: keys, issuer: strings.TrimRight(issuer, "/")}
}

// For returns a verifier that accepts only proofs for one incident.
func (v *Verifier) For(incident string) *Verifier {
	return &Verifier{keys: v.keys, issuer: v.issuer, incident: incident}
}

// Verify checks a token as of a moment; the error is a [*Refusal]. It does not
// know whether the proof was revoked.
func (v *Verifier) Verify(token string, at time.Time) (Grant, error) {
	return v.verify(token, "", at)
}

// verify checks a token that came in a link which begins with base, or in none.
func (v *Verifier) verify(token, base string, at time.Time) (Grant, error) {
	message, g, err := parse(token)
	if err != nil {
		return Grant{}, err
	}
	key, known := v.trusted(message.KeyID)
	if !known {
		return Grant{}, refuse(UnknownKey, "no published key has the token's kid")
	}
	if err := message.Verify(key); err != nil {
		return Grant{}, refuse(BadSignature, "")
	}
	if reasons := v.against(g, base, at); len(reasons) > 0 {
		return Grant{}, &Refusal{Reasons: reasons, Grant: &g}
	}
	return g, nil
}

// VerifyBundle checks a bundle as of a moment; the error is a [*Refusal]. The
// key that comes with it is trusted only if the verifier has it too: without
// that, a bundle that is good in itself is refused as [KeyNotTrusted].
func (v *Verifier) VerifyBundle(text []byte, at time.Time) (Grant, Bundle, error) {
	b, err := ParseBundle(text)
	if err != nil {
		return Grant{}, Bundle{}, err
	}
	message, g, err := parse(b.Token)
	if err != nil {
		return Grant{}, Bundle{}, err
	}
	if message.KeyID != b.Key.ID() {
		return Grant{}, Bundle{}, refuse(Malformed, "the key of jwks is not the token's")
	}
	if err := message.Verify(b.Key); err != nil {
		return Grant{}, Bundle{}, refuse(BadSignature, "")
	}
	refusal := &Refusal{Grant: &g}
	if _, known := v.trusted(message.KeyID); !known {
		refusal.Reasons = append(refusal.Reasons, KeyNotTrusted)
		refusal.Detail = "compare its thumbprint " + message.KeyID + " with what the issuer publishes"
	}
	refusal.Reasons = append(refusal.Reasons, v.against(g, "", at)...)
	var broken *Refusal
	if errors.As(VerifyChain(b.Entries, g.Head), &broken) {
		refusal.Reasons = append(refusal.Reasons, broken.Reasons...)
		refusal.Detail = broken.Detail
	}
	if len(refusal.Reasons) > 0 {
		return Grant{}, Bundle{}, refusal
	}
	return g, b, nil
}

// VerifyText checks a token, a link to it, or a bundle. A link must begin with
// the issuer that its token names.
func (v *Verifier) VerifyText(text string, at time.Time) (Grant, error) {
	if IsBundle([]byte(text)) {
		g, _, err := v.VerifyBundle([]byte(text), at)
		return g, err
	}
	if base, token, isLink := SplitLink(text); isLink {
		return v.verify(token, base, at)
	}
	return v.Verify(text, at)
}

// trusted finds a key that the verifier was given.
func (v *Verifier) trusted(id string) (jws.Key, bool) {
	if v.keys == nil {
		return jws.Key{}, false
	}
	return v.keys.current().find(id)
}

// against holds what was signed against what is asked for.
func (v *Verifier) against(g Grant, base string, at time.Time) []Reason {
	var reasons []Reason
	if v.issuer != "" && g.Issuer != v.issuer || base != "" && g.Issuer != base {
		reasons = append(reasons, WrongIssuer)
	}
	if v.incident != "" && g.Incident != v.incident {
		reasons = append(reasons, WrongIncident)
	}
	if !at.Before(g.ExpiresAt) {
		reasons = append(reasons, Expired)
	}
	if at.Add(FutureTolerance).Before(g.IssuedAt) {
		reasons = append(reasons, NotYetValid)
	}
	return reasons
}

// parse holds a token against all rules of form.
func parse(token string) (jws.Message, Grant, error) {
	message, err := jws.Parse(token, Type)
	if err != nil {
		return jws.Message{}, Grant{}, refuse(Malformed, err.Error())
	}
	g, err := parseClaims(message.Payload)
	if err != nil {
		return jws.Message{}, Grant{}, refuse(Malformed, err.Error())
	}
	return message, g, nil
}
