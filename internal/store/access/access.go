// Package access manages who has access: operators with their login links and sessions, tokens for
// the admin API, API keys for the ingest API, and the idempotency keys of requests.
package access

import (
	"github.com/sendpromptly/sendpromptly/internal/store"
	"github.com/sendpromptly/sendpromptly/internal/store/projects"
)

// Access is the room.
type Access struct {
	Operators   *Operators
	Tokens      *Tokens
	Keys        *APIKeys
	Sessions    *Sessions
	Idempotency *Idempotency
}

// New opens the room.
func New(db *store.DB, p *projects.Projects) *Access {
	return &Access{
		Operators:   &Operators{db: db, audit: p.Audit},
		Tokens:      &Tokens{db: db, projects: p},
		Keys:        &APIKeys{db: db, projects: p},
		Sessions:    &Sessions{db: db},
		Idempotency: &Idempotency{db: db},
	}
}
