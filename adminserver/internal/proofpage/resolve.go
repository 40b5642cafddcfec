package proofpage

import (
	"context"
	"crypto/ed25519"
	"errors"
	"slices"
	"time"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/store/evidence"
	"github.com/sendpromptly/sendpromptly/proofs"
)

// errDead is every token that opens nothing: forged, expired, withdrawn, unknown. The caller does not learn
// which.
var errDead = errors.New("the token opens nothing")

// stranger is a proof that does not exist: a forged token causes a look-up too.
const stranger = "00000000-0000-4000-8000-000000000000"

// resolve finds the proof of a token. It does the same work for every token: the clock, one signature check,
// one look-up.
func (p *proofPage) resolve(ctx context.Context, token string) (evidence.Proof, error) {
	now, err := p.Checks.Now(ctx)
	if err != nil {
		return evidence.Proof{}, err
	}
	grant, refusal := p.verify(token, now)
	jti := grant.ID
	if refusal != nil {
		if !signatureWasChecked(refusal) {
			checkNothing()
		}
		jti = stranger
	}
	proof, err := p.Evidence.Proofs.Get(ctx, jti)
	switch {
	case errors.Is(err, engine.ErrNotFound):
		return evidence.Proof{}, errDead
	case err != nil:
		return evidence.Proof{}, err
	case refusal != nil || !issued(proof, grant) || !alive(proof, now):
		return evidence.Proof{}, errDead
	}
	return proof, nil
}

// verify checks a token. An unknown key may have been created by another process since the last read, so the
// keys are read again, at most once per second. The list of keys is public, so timing reveals nothing.
func (p *proofPage) verify(token string, now time.Time) (proofs.Grant, error) {
	v := proofs.NewVerifier(p.Proofs, p.Base.String())
	grant, err := v.Verify(token, now)
	if p.Proofs == nil || !slices.Contains(proofs.Reasons(err), proofs.UnknownKey) || !p.again.Allow() {
		return grant, err
	}
	_ = p.Proofs.Reload() // the step of Steps reports what is wrong with them
	return v.Verify(token, now)
}

// issued says whether the token matches the proof that was issued under its id.
func issued(p evidence.Proof, g proofs.Grant) bool {
	return string(p.Incident) == g.Incident && p.Issuer == g.Issuer && p.ExpiresAt.Equal(g.ExpiresAt) &&
		p.IssuedAt.Equal(g.IssuedAt) &&
		p.HeadSeq == g.Head.Seq &&
		string(p.HeadHash) == string(g.Head.Hash[:])
}

// alive says whether the proof is still valid.
func alive(p evidence.Proof, now time.Time) bool {
	return p.RevokedAt.IsZero() && now.Before(p.ExpiresAt)
}

// signatureWasChecked says whether a refused token got that far.
func signatureWasChecked(refusal error) bool {
	reasons := proofs.Reasons(refusal)
	return !slices.Contains(reasons, proofs.Malformed) && !slices.Contains(reasons, proofs.UnknownKey)
}

var nobody, nothing = ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)).Public().(ed25519.PublicKey), make([]byte, 320)

// checkNothing takes as long as checking a signature.
func checkNothing() {
	signature := make([]byte, ed25519.SignatureSize)
	signature[0] = 1
	_ = ed25519.Verify(nobody, nothing, signature)
}
