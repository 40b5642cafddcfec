package wire

import (
	"github.com/sendpromptly/sendpromptly/internal/store/evidence"
)

// Proofs are proofs that were issued, newest first.
type Proofs struct {
	Proofs     []evidence.Proof `json:"proofs"`
	NextCursor string           `json:"next_cursor,omitempty" doc:"Absent on the last page."`
}

// ProofWithLink is a new proof with the link that opens it, which is shown once.
type ProofWithLink struct {
	Proof evidence.Proof `json:"proof"`
	URL   string         `json:"url" doc:"Anyone who has it can read the timeline. Shown only once."`
}
