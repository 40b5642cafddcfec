// Package checks is the room of how a deployment stands: whether it holds its
// invariants (verify), what is set up wrong around it (doctor), whether it is
// ready, which engines run, and the numbers that metrics are made of.
package checks

import (
	"context"
	"time"

	"github.com/sendpromptly/sendpromptly/internal/store"
	"github.com/sendpromptly/sendpromptly/internal/store/evidence"
)

// Checks is the room. It changes nothing.
type Checks struct {
	db     *store.DB
	chains *evidence.Chains
}

// New opens the room.
func New(db *store.DB) *Checks { return &Checks{db: db, chains: evidence.NewChains(db)} }

// Now reads the only clock: what the database's moments are compared with.
func (c *Checks) Now(ctx context.Context) (time.Time, error) { return c.db.Now(ctx) }
