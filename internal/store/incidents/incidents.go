// Package incidents is the room of what is owed and of what went wrong with it:
// effects and their outcomes, incidents with their counts and attempts, plans,
// saved views, and the statistics of all that.
package incidents

import (
	"github.com/sendpromptly/sendpromptly/internal/store"
	"github.com/sendpromptly/sendpromptly/internal/store/projects"
)

// Incidents is the room. What it does itself is about single incidents; lists
// of them are the engine's.
type Incidents struct {
	Effects    *Effects
	Outcomes   *Outcomes
	Plans      *Plans
	Views      *Views
	Statistics *Statistics

	db       *store.DB
	projects *projects.Projects
}

// New opens the room.
func New(db *store.DB, p *projects.Projects) *Incidents {
	return &Incidents{
		Effects:    &Effects{db: db, projects: p},
		Outcomes:   &Outcomes{db: db},
		Plans:      &Plans{db: db, projects: p},
		Views:      &Views{db: db, projects: p},
		Statistics: &Statistics{db: db, projects: p},
		db:         db,
		projects:   p,
	}
}
