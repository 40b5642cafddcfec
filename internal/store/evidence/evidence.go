// Package evidence issues proofs, verifies and exports the sealed chains that they are based on,
// and erases personal data, which keeps proofs and chains valid.
package evidence

import (
	"github.com/sendpromptly/sendpromptly/internal/store"
	"github.com/sendpromptly/sendpromptly/internal/store/projects"
)

// Evidence is the room.
type Evidence struct {
	Proofs *Proofs
	Chains *Chains

	db       *store.DB
	projects *projects.Projects
}

// New opens the room.
func New(db *store.DB, p *projects.Projects) *Evidence {
	return &Evidence{Proofs: &Proofs{db: db, projects: p}, Chains: NewChains(db), db: db, projects: p}
}
