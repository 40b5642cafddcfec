package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/dbsqlc"
	"github.com/sendpromptly/sendpromptly/internal/id"
)

const keyPrefix = "sk_"

// Key is an API key of a project, without its secret.
type Key struct {
	ID    string `json:"id"`
	Label string `json:"label"`
	// Ending are the last four characters of the secret.
	Ending     string    `json:"ending"`
	CreatedAt  time.Time `json:"created_at"`
	CreatedBy  string    `json:"created_by"`
	LastUsedAt time.Time `json:"last_used_at,omitzero"`
	RevokedAt  time.Time `json:"revoked_at,omitzero"`
}

// KeyOwner is whom an API key lets in.
type KeyOwner struct {
	Project, KeyID string
	// Suspended says that the project takes nothing at present.
	Suspended bool
	// Snapshots says that the project keeps payloads, so that its requests are larger.
	Snapshots bool
}

// CreateKey adds an API key. Its secret, sk_ and 40 characters, is returned
// once: it is not shown again.
func (s *Store) CreateKey(ctx context.Context, project, label string, by engine.Operator) (Key, string, error) {
	if err := errors.Join(checkName("label", label), checkName("by", string(by))); err != nil {
		return Key{}, "", err
	}
	projectID, err := s.projectID(ctx, project)
	if err != nil {
		return Key{}, "", err
	}
	secret, hash, ending := newSecret(keyPrefix)
	var row dbsqlc.APIKey
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		row, err = s.queries.KeyCreate(ctx, tx, dbsqlc.KeyCreateParams{ProjectID: projectID, KeyHash: hash, Ending: ending, Label: label, CreatedBy: string(by)})
		if err != nil {
			return err
		}
		return s.audit(ctx, tx, projectID, by, "key.create", label, row.KeyID)
	})
	if err != nil {
		return Key{}, "", err
	}
	return newKey(row), secret, nil
}

// Keys reads a project's keys, newest first, revoked ones too; at most 500.
func (s *Store) Keys(ctx context.Context, project string) ([]Key, error) {
	projectID, err := s.projectID(ctx, project)
	if err != nil {
		return nil, err
	}
	rows, err := s.queries.KeyList(ctx, s.pool, projectID)
	keys := make([]Key, len(rows))
	for i, row := range rows {
		keys[i] = newKey(row)
	}
	return keys, err
}

// RevokeKey ends a key at once, or returns [ErrNotFound].
func (s *Store) RevokeKey(ctx context.Context, project, key string, by engine.Operator) error {
	if err := checkName("by", string(by)); err != nil {
		return err
	}
	projectID, err := s.projectID(ctx, project)
	if err != nil {
		return err
	}
	if !id.Valid(key) {
		return fmt.Errorf("key: %w", ErrNotFound)
	}
	return s.inTx(ctx, func(tx pgx.Tx) error {
		label, err := s.queries.KeyRevoke(ctx, tx, dbsqlc.KeyRevokeParams{ProjectID: projectID, KeyID: key})
		if errors.Is(err, pgx.ErrNoRows) {
			return fmt.Errorf("key %s: %w", key, ErrNotFound)
		}
		if err != nil {
			return err
		}
		return s.audit(ctx, tx, projectID, by, "key.revoke", label, key)
	})
}

// KeyOwner finds out whom a secret lets in, or returns [ErrNotFound]. The use
// is noted once a minute.
func (s *Store) KeyOwner(ctx context.Context, secret string) (KeyOwner, error) {
	if !wellFormed(secret, keyPrefix) {
		return KeyOwner{}, fmt.Errorf("key: %w", ErrNotFound)
	}
	hash := hashOf(secret)
	row, err := s.queries.KeyOwner(ctx, s.pool, hash)
	if errors.Is(err, pgx.ErrNoRows) || err == nil && !sameHash(row.KeyHash, hash) {
		return KeyOwner{}, fmt.Errorf("key: %w", ErrNotFound)
	}
	if err != nil {
		return KeyOwner{}, err
	}
	if row.Stale {
		if err := s.queries.KeyUsed(ctx, s.pool, dbsqlc.KeyUsedParams{ProjectID: row.ProjectID, KeyID: row.KeyID}); err != nil {
			return KeyOwner{}, err
		}
	}
	return KeyOwner{Project: row.Project, KeyID: row.KeyID, Suspended: row.Suspended, Snapshots: row.Snapshots}, nil
}

func newKey(row dbsqlc.APIKey) Key {
	return Key{ID: row.KeyID, Label: row.Label, Ending: row.Ending, CreatedAt: row.CreatedAt, CreatedBy: row.CreatedBy,
		LastUsedAt: value(row.LastUsedAt), RevokedAt: value(row.RevokedAt)}
}
