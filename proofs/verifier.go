package proofs

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/sendpromptly/sendpromptly/proofs/jws"
)

// Reason says why a proof is not valid. The words are part of the format: programs
// may compare them.
type Reason string

// The reasons.
const (
	// Malformed is a token or bundle that violates the format.
	Malformed Reason = "malformed"
	// UnknownKey is a token whose key is not, or no longer, published.
	UnknownKey Reason = "unknown_key"
	// BadSignature is a signature that does not verify.
	BadSignature Reason = "bad_signature"
	// Expired is a proof after its expiry.
	Expired Reason = "expired"
	// NotYetValid is a proof with an issue time in the future.
	NotYetValid Reason = "not_yet_valid"
	// WrongIssuer is a proof of another server.
	WrongIssuer Reason = "wrong_issuer"
	// WrongIncident is a proof for another incident.
	WrongIncident Reason = "wrong_incident"
	// Revoked is a proof that an operator revoked.
	Revoked Reason = "revoked"
	// NotIssued is a proof that the store does not contain.
	NotIssued Reason = "not_issued"
	// KeyNotTrusted is a bundle whose own key verifies it, but is not trusted.
	KeyNotTrusted Reason = "key_not_trusted"
	// EntryAltered is an entry whose hash does not match its values.
	EntryAltered Reason = "entry_altered"
	// EntriesMissing is a chain that lacks entries up to its head.
	EntriesMissing Reason = "entries_missing"
	// HeadMismatch is a chain whose last hash is not the proof's head.
	HeadMismatch Reason = "head_mismatch"
)

// Refusal is the error for a proof that is not valid.
type Refusal struct {
	// Reasons has at least one element.
	Reasons []Reason
	// Detail is a text for people; it may be empty.
	Detail string
	// Grant is the content of the proof if its signature is valid, else nil.
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

// Reasons returns the reasons of a [*Refusal], or nil for another error.
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

// Verifier checks tokens and bundles with the current keys. It is safe for
// concurrent use.
type Verifier struct {
	keys             *Keys
	issuer, incident string
}

// NewVerifier makes a verifier for the proofs of one issuer, named by its base URL.
// An empty issuer accepts every issuer: use it only with keys of a single issuer.
// If keys is nil, no proof is valid.
func NewVerifier(keys *Keys, issuer string) *Verifier {
	return &Verifier{keys: keys, issuer: strings.TrimRight(issuer, "/")}
}

// For returns a verifier that accepts only proofs for one incident.
func (v *Verifier) For(incident string) *Verifier {
	return &Verifier{keys: v.keys, issuer: v.issuer, incident: incident}
}

// Verify checks a token at a given time; the error is a [*Refusal]. It does not check
// whether the proof was revoked.
func (v *Verifier) Verify(token string, at time.Time) (Grant, error) {
	return v.verify(token, "", at)
}

// verify checks a token. base is the start of its link, or empty without a link.
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

// VerifyBundle checks a bundle at a given time; the error is a [*Refusal]. The
// verifier must also have the key of the bundle. Otherwise a bundle that its own key
// verifies is refused as [KeyNotTrusted].
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

// VerifyText checks a token, a link or a bundle at a given time; the error is a
// [*Refusal]. A link must begin with the issuer of its token.
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

// trusted finds one of the verifier's keys.
func (v *Verifier) trusted(id string) (jws.Key, bool) {
	if v.keys == nil {
		return jws.Key{}, false
	}
	return v.keys.current().find(id)
}

// against returns the reasons why a signed grant is not valid for this request.
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

// parse reads a token and checks its format.
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
