package proof

import (
	"errors"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/sendpromptly/sendpromptly/cmd/spadmin/cli"
	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/store/evidence"
	"github.com/sendpromptly/sendpromptly/internal/store/rooms"
	"github.com/sendpromptly/sendpromptly/proofs"
)

type proofExport struct {
	Of       string   `arg:"" help:"A token, a link, or the id of a proof. For the id of an incident, the command issues a new proof."`
	Out      string   `help:"Write to this file, which only its owner can read. Default: print." short:"o" placeholder:"FILE"`
	Disclose []string `help:"Disclose this hidden field, such as event_id, subject, amount, actor or note. Repeatable." placeholder:"FIELD"`
	issuing
}

// Run writes a bundle.
func (c proofExport) Run(s *cli.Session) error {
	for _, field := range c.Disclose {
		if !slices.Contains(evidence.HiddenFields, field) {
			return &engine.FieldError{
				Field:  "--disclose",
				Reason: "is not a hidden field: choose one of " + strings.Join(evidence.HiddenFields, ", "),
			}
		}
	}
	keys, err := c.signing()
	if err != nil {
		return err
	}
	st, _, done, err := s.Store()
	if err != nil {
		return err
	}
	defer done()
	token, proof, err := c.token(s, st, keys)
	if err != nil {
		return err
	}
	if !proof.RevokedAt.IsZero() {
		return errors.New("the proof was revoked: issue a new one")
	}
	entries, err := st.Evidence.Chains.Export(s.Context, proof.Incident, proof.HeadSeq, c.Disclose...)
	if err != nil {
		return err
	}
	bundle, err := keys.Bundle(token, bundled(entries))
	if err != nil {
		return cli.WithHint(err, "check the chains with spadmin audit verify")
	}
	if c.Out != "" {
		return os.WriteFile(c.Out, bundle, 0o600)
	}
	_, err = s.Stdout.Write(bundle)
	return err
}

// token finds the token to export, and the proof in the store.
func (c proofExport) token(s *cli.Session, st *rooms.Rooms, keys *proofs.Keys) (string, evidence.Proof, error) {
	if proof, err := st.Evidence.Proofs.Get(s.Context, c.Of); err == nil {
		// The token is not stored. Signing the same claims recreates it.
		token, err := keys.Signer().Sign(grant(evidence.ProofClaims{
			Issuer: proof.Issuer, Incident: proof.Incident, JTI: proof.JTI, IssuedAt: proof.IssuedAt,
			ExpiresAt: proof.ExpiresAt, HeadSeq: proof.HeadSeq, HeadHash: proof.HeadHash,
		}))
		return token, proof, err
	} else if !errors.Is(err, engine.ErrNotFound) {
		return "", evidence.Proof{}, err
	}
	token := c.Of
	if _, linked, ok := proofs.SplitLink(token); ok {
		token = linked
	}
	g, err := proofs.NewVerifier(keys, "").Verify(token, time.Now())
	var refusal *proofs.Refusal
	if errors.As(err, &refusal) && refusal.Grant != nil {
		g, err = *refusal.Grant, nil // an expired proof can be exported too
	}
	if err != nil {
		proof, token, issueErr := c.issue(s, st, keys, c.Of)
		var field *engine.FieldError
		if errors.As(issueErr, &field) && field.Field == "incident" {
			return "", proof, err // not an id, so it was meant as a token
		}
		return token, proof, issueErr
	}
	proof, err := st.Evidence.Proofs.Get(s.Context, g.ID)
	return token, proof, err
}

// bundled converts entries of the store to entries of a bundle.
func bundled(from []evidence.ExportedEntry) []proofs.Entry {
	to := make([]proofs.Entry, len(from))
	for i, e := range from {
		to[i] = proofs.Entry{
			Seq:       e.Seq,
			Kind:      e.Kind,
			At:        e.At,
			State:     string(e.State),
			Cause:     string(e.Cause),
			Provider:  e.Provider,
			EventType: e.EventType,
			Effect:    e.Effect,
			EffectID:  string(e.EffectID),
		}
		copy(to[i].Hash[:], e.Hash)
		for _, h := range e.Hidden {
			f := proofs.Field{Name: h.Name, Disclosed: h.Salt != nil, Value: h.Value}
			copy(f.Commitment[:], h.Commitment)
			copy(f.Salt[:], h.Salt)
			to[i].Fields = append(to[i].Fields, f)
		}
	}
	return to
}
