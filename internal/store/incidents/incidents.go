// Package incidents reads and changes effects and their outcomes, incidents with their counts and
// attempts, plans, saved views, and statistics.
package incidents

import (
	"github.com/sendpromptly/sendpromptly/internal/store"
	"github.com/sendpromptly/sendpromptly/internal/store/projects"
)

// Incidents is the room. Its own methods are about single incidents and counts; the engine lists
// incidents.
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
