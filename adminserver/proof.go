package adminserver

import (
	"context"
	"time"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/named"
	"github.com/sendpromptly/sendpromptly/internal/store/evidence"
)

// ProofRequest asks for a proof of an incident.
type ProofRequest struct {
	// Incident is the incident that the proof shows. Required.
	Incident engine.IncidentID
	// Project limits the incident to one project, by name. Default: any.
	Project string
	// For is how long the proof is valid, in whole seconds, at most 90 days. Default: 7 days.
	For time.Duration
	// Audience is a note on who the proof is for, at most 255 bytes. Its holder
	// does not see it.
	Audience string
	// By is who issues the proof; it enters the timeline and the audit log. Required.
	By engine.Operator
}

// Proof is a proof that was issued. Its token is in the link and is not stored.
type Proof struct {
	// ID names the proof; it is the token's jti.
	ID      string
	Project string
	// Incident is what the proof shows, Effect is the incident's effect.
	Incident engine.IncidentID
	Effect   engine.EffectID
	// Issuer is the base URL that the token names.
	Issuer string
	// Audience is the note of the request.
	Audience string
	IssuedBy engine.Operator
	// IssuedAt and ExpiresAt are by the database's clock, in UTC.
	IssuedAt, ExpiresAt time.Time
	// HeadSeq and HeadHash are the number and the hash of the last sealed entry of
	// the timeline when the proof was issued.
	HeadSeq  int
	HeadHash []byte
}

// IssueProof issues a proof of an incident, signed with a key of
// Config.ProofKeys, and returns it with the link that its holder opens. It is
// for an embedding app; operators have the console and spadmin.
//
// Errors: [proofs.ErrNoKey] without a key, [engine.ErrNotFound] for an incident
// that does not exist in the project, an [*engine.FieldError] for a field that
// cannot be.
func (s *Server) IssueProof(ctx context.Context, r ProofRequest) (proof Proof, link string, err error) {
	issued, link, err := s.deps.IssueProof(ctx, evidence.ProofRequest{
		Incident: r.Incident,
		Project:  r.Project,
		For:      r.For,
		Audience: r.Audience,
		By:       r.By,
	})
	if err != nil {
		return Proof{}, "", named.Error("issuing a proof", err)
	}
	return Proof{
		ID:        issued.JTI,
		Project:   issued.Project,
		Incident:  issued.Incident,
		Effect:    issued.Effect,
		Issuer:    issued.Issuer,
		Audience:  issued.Audience,
		IssuedBy:  issued.IssuedBy,
		IssuedAt:  issued.IssuedAt,
		ExpiresAt: issued.ExpiresAt,
		HeadSeq:   issued.HeadSeq,
		HeadHash:  issued.HeadHash,
	}, link, nil
}
