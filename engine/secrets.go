package engine

import (
	"context"
	"errors"

	"github.com/sendpromptly/sendpromptly/internal/dbsqlc"
	"github.com/sendpromptly/sendpromptly/internal/named"
	"github.com/sendpromptly/sendpromptly/internal/secretbox"
)

// callbackSecrets reads a project's active secrets, newest first.
func (e *Engine) callbackSecrets(ctx context.Context, projectID int) ([]string, error) {
	rows, err := e.queries.CallbackSecretList(ctx, e.pool, projectID)
	if err != nil {
		return nil, err
	}
	var secrets []string
	for _, row := range rows {
		plain := row.Secret
		if row.Sealed {
			if e.box == nil {
				return nil, errors.New("sendpromptly: the callback secrets are encrypted: set Config.SecretKey or SENDPROMPTLY_SECRET_KEY")
			}
			if plain, err = e.box.Open(row.Secret, secretbox.CallbackSecretOwner(projectID)); err != nil {
				return nil, named.Error("decrypting a callback secret", err)
			}
		}
		secrets = append(secrets, string(plain))
	}
	if len(secrets) == 0 {
		return nil, errors.New(
			"sendpromptly: the project has no callback secret: create one with spadmin project set --rotate-callback-secret",
		)
	}
	return secrets, nil
}

// payload decrypts an effect's snapshot. It is nil without a snapshot, without a key, and if
// decrypting fails.
func (e *Engine) payload(ctx context.Context, sealed []byte, f dbsqlc.Effect, project string) []byte {
	if e.box == nil || sealed == nil {
		return nil
	}
	plain, err := e.box.Open(sealed, snapshotOwner(project, Key{Provider: f.Provider, EventID: f.EventID, Effect: f.Effect}))
	if err != nil {
		e.cfg.Logger.WarnContext(ctx, saysNoPayload, "effect", f.EffectID, "error", err)
		return nil
	}
	return plain
}
