package checks

import (
	"context"
	"fmt"

	"github.com/sendpromptly/sendpromptly/internal/migrate"
)

// Ready returns nil if the database answers and has the schema that this build needs.
func (c *Checks) Ready(ctx context.Context) error {
	need, err := migrate.Latest()
	if err != nil {
		return err
	}
	have, err := c.db.Queries.ClockBody(ctx, c.db.Pool)
	if err != nil {
		return err
	}
	if have.Version < need {
		return fmt.Errorf("the schema is at version %d, this build needs %d: run spadmin migrate up", have.Version, need)
	}
	return nil
}
