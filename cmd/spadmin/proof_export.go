package main

import (
	"errors"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/store/evidence"
	"github.com/sendpromptly/sendpromptly/internal/store/rooms"
	"github.com/sendpromptly/sendpromptly/proofs"
)

type proofExport struct {
	Of       string   `arg:"" help:"A token or link, the id of a proof that was issued, or an incident, of which a new proof is issued."`
	Out      string   `help:"Write to this file, readable by its owner alone. Default: print." short:"o" placeholder:"FILE"`
	Disclose []string `help:"Disclose this field wherever it has a value, such as event_id, subject, amount, actor or note. Repeatable." placeholder:"FIELD"`
	issuing
}

// Run writes a bundle.
func (c proofExport) Run(s *session) error {
	for _, field := range c.Disclose {
		if !slices.Contains(evidence.HiddenFields, field) {
			return &engine.FieldError{
				Field:  "--disclose",
				Reason: "names no hidden field: there are " + strings.Join(evidence.HiddenFields, ", "),
			}
		}
	}
	keys, err := c.signing()
	if err != nil {
		return err
	}
	st, _, done, err := s.store()
	if err != nil {
		return err
	}
	defer done()
	token, proof, err := c.token(s, st, keys)
	if err != nil {
		return err
	}
	if !proof.RevokedAt.IsZero() {
		return errors.New("the proof was revoked")
	}
	entries, err := st.Evidence.Chains.Export(s.ctx, proof.Incident, proof.HeadSeq, c.Disclose...)
	if err != nil {
		return err
	}
	bundle, err := keys.Bundle(token, bundled(entries))
	if err != nil {
		return hint{err, "spadmin audit verify looks into the chains"}
	}
	if c.Out != "" {
		return os.WriteFile(c.Out, bundle, 0o600)
	}
	_, err = s.stdout.Write(bundle)
	return err
}

// token finds the token of what is to be exported, and what the store knows of it.
func (c proofExport) token(s *session, st *rooms.Rooms, keys *proofs.Keys) (string, evidence.Proof, error) {
	if proof, err := st.Evidence.Proofs.Get(s.ctx, c.Of); err == nil {
		// The token is not kept, but made again of the same claims.
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
		g, err = *refusal.Grant, nil // expired or not, what it proves is in the chain
	}
	if err != nil {
		proof, token, issueErr := c.issue(s, st, keys, c.Of)
		var field *engine.FieldError
		if errors.As(issueErr, &field) && field.Field == "incident" {
			return "", proof, err // no id at all: it was meant as a token
		}
		return token, proof, issueErr
	}
	proof, err := st.Evidence.Proofs.Get(s.ctx, g.ID)
	return token, proof, err
}

// bundled turns the store's entries into those of a bundle.
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
