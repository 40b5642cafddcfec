package incidents

import "context"

// ChangesNow is the cursor for engine.Changes of who wants to hear only what
// changes from now on.
func (i *Incidents) ChangesNow(ctx context.Context) (string, error) {
	xid, err := i.db.Queries.ChangesNow(ctx, i.db.Pool)
	return xid + "-0", err
}
