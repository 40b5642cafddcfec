package access

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/dbsqlc"
	"github.com/sendpromptly/sendpromptly/internal/input"
	"github.com/sendpromptly/sendpromptly/internal/pg"
	"github.com/sendpromptly/sendpromptly/internal/store"
	"github.com/sendpromptly/sendpromptly/internal/store/projects"
)

const apiKeyPrefix = "sk_"

// APIKeys are the keys to the ingest API.
type APIKeys struct {
	db       *store.DB
	projects *projects.Projects
}

// APIKey is an API key of a project, without its secret.
type APIKey struct {
	ID    string `json:"id"`
	Label string `json:"label"`
	// Ending are the last four characters of the secret.
	Ending     string    `json:"ending"`
	CreatedAt  time.Time `json:"created_at"`
	CreatedBy  string    `json:"created_by"`
	LastUsedAt time.Time `json:"last_used_at,omitzero"`
	RevokedAt  time.Time `json:"revoked_at,omitzero"`
}

// KeyOwner is the project that an API key belongs to.
type KeyOwner struct {
	Project, KeyID string
	// Suspended is true while the project refuses requests.
	Suspended bool
	// Snapshots is true if the project stores payloads, so its requests are larger.
	Snapshots bool
}

// Create adds an API key. It returns the secret, sk_ and 40 characters, which is not shown again.
func (k *APIKeys) Create(ctx context.Context, project, label string, by engine.Operator) (APIKey, string, error) {
	if err := errors.Join(
		store.Invalid("label", input.Label(label, input.NameLimit)),
		store.Invalid("by", input.Label(string(by), input.NameLimit)),
	); err != nil {
		return APIKey{}, "", err
	}
	projectID, err := k.projects.ID(ctx, project)
	if err != nil {
		return APIKey{}, "", err
	}
	secret, hash, ending := newSecret(apiKeyPrefix)
	var row dbsqlc.APIKey
	err = k.db.InTx(ctx, func(tx pgx.Tx) error {
		row, err = k.db.Queries.KeyCreate(
			ctx,
			tx,
			dbsqlc.KeyCreateParams{ProjectID: projectID, KeyHash: hash, Ending: ending, Label: label, CreatedBy: string(by)},
		)
		if err != nil {
			return err
		}
		return k.projects.Audit.Add(ctx, tx, projectID, by, "key.create", label, row.KeyID)
	})
	if err != nil {
		return APIKey{}, "", err
	}
	return newAPIKey(row), secret, nil
}

// List returns a project's keys, newest first, including revoked ones; at most 500.
func (k *APIKeys) List(ctx context.Context, project string) ([]APIKey, error) {
	projectID, err := k.projects.ID(ctx, project)
	if err != nil {
		return nil, err
	}
	rows, err := k.db.Queries.KeyList(ctx, k.db.Pool, projectID)
	keys := make([]APIKey, len(rows))
	for i, row := range rows {
		keys[i] = newAPIKey(row)
	}
	return keys, err
}

// Revoke ends a key at once, or returns [engine.ErrNotFound].
func (k *APIKeys) Revoke(ctx context.Context, project, key string, by engine.Operator) error {
	if err := store.Invalid("by", input.Label(string(by), input.NameLimit)); err != nil {
		return err
	}
	projectID, err := k.projects.ID(ctx, project)
	if err != nil {
		return err
	}
	if input.UUID(key) != "" {
		return store.NotFound("key")
	}
	return k.db.InTx(ctx, func(tx pgx.Tx) error {
		label, err := k.db.Queries.KeyRevoke(ctx, tx, dbsqlc.KeyRevokeParams{ProjectID: projectID, KeyID: key})
		if errors.Is(err, pgx.ErrNoRows) {
			return store.NotFound("key %s", key)
		}
		if err != nil {
			return err
		}
		return k.projects.Audit.Add(ctx, tx, projectID, by, "key.revoke", label, key)
	})
}

// Owner returns the project of a secret, or [engine.ErrNotFound]. The use is recorded once per
// minute.
func (k *APIKeys) Owner(ctx context.Context, secret string) (KeyOwner, error) {
	if !wellFormed(secret, apiKeyPrefix) {
		return KeyOwner{}, store.NotFound("key")
	}
	hash := hashOf(secret)
	row, err := k.db.Queries.KeyOwner(ctx, k.db.Pool, hash)
	if errors.Is(err, pgx.ErrNoRows) || err == nil && !sameHash(row.KeyHash, hash) {
		return KeyOwner{}, store.NotFound("key")
	}
	if err != nil {
		return KeyOwner{}, err
	}
	if row.Stale {
		if err := k.db.Queries.KeyUsed(ctx, k.db.Pool,
			dbsqlc.KeyUsedParams{ProjectID: row.ProjectID, KeyID: row.KeyID}); err != nil {
			return KeyOwner{}, err
		}
	}
	return KeyOwner{Project: row.Project, KeyID: row.KeyID, Suspended: row.Suspended, Snapshots: row.Snapshots}, nil
}

func newAPIKey(row dbsqlc.APIKey) APIKey {
	return APIKey{
		ID: row.KeyID, Label: row.Label, Ending: row.Ending, CreatedAt: row.CreatedAt, CreatedBy: row.CreatedBy,
		LastUsedAt: pg.Value(row.LastUsedAt), RevokedAt: pg.Value(row.RevokedAt),
	}
}
