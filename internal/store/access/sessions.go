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

// SessionIdle is how long a session lives without being used.
const SessionIdle = 30 * time.Minute

// Sessions keeps the sessions of people who logged in, in the form that
// alexedwards/scs asks for. Of a session's token only its hash is stored.
type Sessions struct{ db *store.DB }

type unusedKey struct{}

// Unused returns a context in which finding a session is not using it, for what
// a page does by itself while nobody may be sitting before it.
func Unused(ctx context.Context) context.Context { return context.WithValue(ctx, unusedKey{}, true) }

// FindCtx reads a session; found is false where it is unknown or was idle for
// too long. Finding it is using it, which is noted once a minute, but for [Unused].
func (s *Sessions) FindCtx(ctx context.Context, token string) (data []byte, found bool, err error) {
	hash := hashOf(token)
	row, err := s.db.Queries.SessionFind(ctx, s.db.Pool, dbsqlc.SessionFindParams{Idle: pg.Interval(SessionIdle), SessionHash: hash})
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, false, nil
	}
	if err == nil && row.Stale && ctx.Value(unusedKey{}) == nil {
		err = s.db.Queries.SessionUsed(ctx, s.db.Pool, dbsqlc.SessionUsedParams{Idle: pg.Interval(SessionIdle), SessionHash: hash})
	}
	return row.Data, err == nil, err
}

// CommitCtx writes a session that ends at a moment of this machine's clock,
// which is kept as a distance from now by the database's.
func (s *Sessions) CommitCtx(ctx context.Context, token string, data []byte, end time.Time) error {
	return s.db.Queries.SessionSave(
		ctx,
		s.db.Pool,
		dbsqlc.SessionSaveParams{SessionHash: hashOf(token), Data: data, Lifetime: pg.Interval(time.Until(end))},
	)
}

// DeleteCtx ends a session. An unknown one is no error.
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
