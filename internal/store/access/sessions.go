package access

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/internal/dbsqlc"
	"github.com/sendpromptly/sendpromptly/internal/pg"
	"github.com/sendpromptly/sendpromptly/internal/store"
)

// SessionIdle is how long an unused session stays valid.
const SessionIdle = 30 * time.Minute

// Sessions stores the sessions of people who logged in. It implements the store interface of
// alexedwards/scs. Of a session's token only the hash is stored.
type Sessions struct{ db *store.DB }

type unusedKey struct{}

// Unused returns a context in which finding a session does not extend it, for requests that a page
// makes by itself.
func Unused(ctx context.Context) context.Context { return context.WithValue(ctx, unusedKey{}, true) }

// FindCtx returns a session; found is false if it is unknown or was idle for too long. Finding a
// session extends it, which is recorded once per minute, except with [Unused].
func (s *Sessions) FindCtx(ctx context.Context, token string) (data []byte, found bool, err error) {
	hash := hashOf(token)
	row, err := s.db.Queries.SessionFind(ctx, s.db.Pool,
		dbsqlc.SessionFindParams{Idle: pg.Interval(SessionIdle), SessionHash: hash})
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, false, nil
	}
	if err == nil && row.Stale && ctx.Value(unusedKey{}) == nil {
		err = s.db.Queries.SessionUsed(ctx, s.db.Pool,
			dbsqlc.SessionUsedParams{Idle: pg.Interval(SessionIdle), SessionHash: hash})
	}
	return row.Data, err == nil, err
}

// CommitCtx writes a session that ends at a time of this machine's clock. It is stored as a
// duration from now by the database's clock.
func (s *Sessions) CommitCtx(ctx context.Context, token string, data []byte, end time.Time) error {
	return s.db.Queries.SessionSave(
		ctx,
		s.db.Pool,
		dbsqlc.SessionSaveParams{SessionHash: hashOf(token), Data: data, Lifetime: pg.Interval(time.Until(end))},
	)
}

// DeleteCtx ends a session. It is not an error if the session is unknown.
func (s *Sessions) DeleteCtx(ctx context.Context, token string) error {
	return s.db.Queries.SessionDelete(ctx, s.db.Pool, hashOf(token))
}

// Find is FindCtx without a context.
func (s *Sessions) Find(token string) ([]byte, bool, error) {
	return s.FindCtx(context.Background(), token)
}

// Commit is CommitCtx without a context.
func (s *Sessions) Commit(token string, data []byte, end time.Time) error {
	return s.CommitCtx(context.Background(), token, data, end)
}

// Delete is DeleteCtx without a context.
func (s *Sessions) Delete(token string) error { return s.DeleteCtx(context.Background(), token) }

// Purge deletes sessions and login links that have expired, at most 1,000 of each.
func (s *Sessions) Purge(ctx context.Context) error {
	_, err := s.db.Queries.SessionPurge(ctx, s.db.Pool, 1000)
	return err
}
