package store

import "context"

// ChangesNow is the cursor for engine.Changes of who wants to hear only what
// changes from now on.
func (s *Store) ChangesNow(ctx context.Context) (string, error) {
	xid, err := s.queries.ChangesNow(ctx, s.pool)
	return xid + "-0", err
}
