package incidents

import "context"

// ChangesNow returns the cursor with which engine.Changes delivers only later changes.
func (i *Incidents) ChangesNow(ctx context.Context) (string, error) {
	xid, err := i.db.Queries.ChangesNow(ctx, i.db.Pool)
	return xid + "-0", err
}
