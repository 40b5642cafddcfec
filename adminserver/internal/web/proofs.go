package web

import (
	"context"

	"github.com/sendpromptly/sendpromptly/internal/store/evidence"
	"github.com/sendpromptly/sendpromptly/proofs"
)

// IssueProof issues a proof of an incident and returns it with its link. The
// issuer is the base URL. Without a key the error is [proofs.ErrNoKey].
func (d Deps) IssueProof(ctx context.Context, r evidence.ProofRequest) (evidence.Proof, string, error) {
	if d.Proofs == nil {
		return evidence.Proof{}, "", proofs.ErrNoKey
	}
	r.Issuer = d.Base.String()
	proof, token, err := d.Evidence.Proofs.Issue(ctx, r, func(c evidence.ProofClaims) (string, error) {
		return d.Proofs.Signer().Sign(proofs.Grant{
			Issuer: c.Issuer, Incident: string(c.Incident), ID: c.JTI, IssuedAt: c.IssuedAt, ExpiresAt: c.ExpiresAt,
			Head: proofs.Head{Seq: c.HeadSeq, Hash: [32]byte(c.HeadHash)},
		})
	})
	if err != nil {
		return evidence.Proof{}, "", err
	}
	return proof, proofs.Link(d.Base.String(), token), nil
}
