// Package evidence is the room of what can be shown to somebody else: issued
// proofs, the sealed chains that they stand on and their export; and of erasing,
// which leaves both valid.
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
