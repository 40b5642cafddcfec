// Package rooms opens all rooms of the store, for a program that uses several of them.
package rooms

import (
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sendpromptly/sendpromptly/internal/store"
	"github.com/sendpromptly/sendpromptly/internal/store/access"
	"github.com/sendpromptly/sendpromptly/internal/store/archive"
	"github.com/sendpromptly/sendpromptly/internal/store/checks"
	"github.com/sendpromptly/sendpromptly/internal/store/evidence"
	"github.com/sendpromptly/sendpromptly/internal/store/incidents"
	"github.com/sendpromptly/sendpromptly/internal/store/projects"
)

// Rooms are all rooms on one database.
type Rooms struct {
	Projects  *projects.Projects
	Access    *access.Access
	Incidents *incidents.Incidents
	Evidence  *evidence.Evidence
	Archive   *archive.Archive
	Checks    *checks.Checks
}

// Open opens the rooms; secretKey is as in [store.Open].
func Open(pool *pgxpool.Pool, secretKey string) (*Rooms, error) {
	db, err := store.Open(pool, secretKey)
	if err != nil {
		return nil, err
	}
	p := projects.New(db)
	return &Rooms{
		Projects:  p,
		Access:    access.New(db, p),
		Incidents: incidents.New(db, p),
		Evidence:  evidence.New(db, p),
		Archive:   archive.New(db, p),
		Checks:    checks.New(db),
	}, nil
}
