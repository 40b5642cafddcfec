// Package checks checks a deployment: its invariants (verify), its setup (doctor), whether it is
// ready, which engines run, and the numbers for metrics.
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

// Now returns the database's time, to compare the database's times with.
func (c *Checks) Now(ctx context.Context) (time.Time, error) { return c.db.Now(ctx) }
