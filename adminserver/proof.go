package adminserver

import (
	"context"

	"github.com/sendpromptly/sendpromptly/internal/named"
	"github.com/sendpromptly/sendpromptly/internal/store"
)

// IssueProof issues a proof of an incident, signed with a key of
// Config.ProofKeys, and returns it with the link that its holder opens. It is
// for an embedding app; operators have the console and spadmin.
func (s *Server) IssueProof(ctx context.Context, r store.ProofRequest) (proof store.Proof, link string, err error) {
	proof, link, err = s.deps.IssueProof(ctx, r)
	return proof, link, named.Error("issuing a proof", err)
}
