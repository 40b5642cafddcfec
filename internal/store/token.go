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

// TokenPrefix begins every token for the admin API.
const TokenPrefix = "spt_"

// Token lets a program into the admin API, or a person into the console,
// without its secret.
type Token struct {
	ID    string `json:"id"`
	Label string `json:"label"`
	// Role is viewer, operator or admin.
	Role string `json:"role"`
	// Project is the only project that exists for the token; "" is all.
	Project string `json:"project,omitempty"`
	// Ending are the last four characters of the secret.
	Ending     string    `json:"ending"`
	CreatedAt  time.Time `json:"created_at"`
	CreatedBy  string    `json:"created_by"`
	ExpiresAt  time.Time `json:"expires_at,omitzero"`
	LastUsedAt time.Time `json:"last_used_at,omitzero"`
	RevokedAt  time.Time `json:"revoked_at,omitzero"`
}

// CreateToken adds a token. project "" is for all projects, and a lifetime of 0
// never ends. The secret, spt_ and 40 characters, is returned once: it is not
// shown again.
func (s *Store) CreateToken(ctx context.Context, role, label, project string, lifetime time.Duration, by engine.Operator) (Token, string, error) {
	if err := errors.Join(checkRole(role), checkName("label", label), checkName("by", string(by))); err != nil {
		return Token{}, "", err
	}
	if lifetime < 0 || lifetime > 10*365*24*time.Hour {
		return Token{}, "", &engine.FieldError{Field: "expires", Reason: "must lie between 1 microsecond and 10 years"}
	}
	params := dbsqlc.TokenCreateParams{Label: label, Role: role, CreatedBy: string(by)}
	if project != "" {
		var err error
		if params.ProjectID, err = s.projectID(ctx, project); err != nil {
			return Token{}, "", err
		}
	}
	if lifetime > 0 {
		params.Lifetime = optional(seconds(lifetime))
	}
	secret, hash, ending := newSecret(TokenPrefix)
	params.TokenHash, params.Ending = hash, ending
	var row dbsqlc.Token
	err := s.inTx(ctx, func(tx pgx.Tx) (err error) {
		if row, err = s.queries.TokenCreate(ctx, tx, params); err != nil {
			return err
		}
		return s.audit(ctx, tx, params.ProjectID, by, "token.create", label, role+" "+row.TokenID)
	})
	if err != nil {
		return Token{}, "", err
	}
	return newToken(row, project), secret, nil
}

// Tokens reads all tokens, newest first, those that have ended too; at most 1,000.
func (s *Store) Tokens(ctx context.Context) ([]Token, error) {
	rows, err := s.queries.TokenList(ctx, s.pool)
	all := make([]Token, len(rows))
	for i, row := range rows {
		all[i] = newToken(row.Token, row.Project)
	}
	return all, err
}

// RevokeToken ends a token and the sessions that began with it at once, or
// returns [ErrNotFound].
func (s *Store) RevokeToken(ctx context.Context, token string, by engine.Operator) error {
	if err := checkName("by", string(by)); err != nil {
		return err
	}
	if !id.Valid(token) {
		return fmt.Errorf("token: %w", ErrNotFound)
	}
	return s.inTx(ctx, func(tx pgx.Tx) error {
		label, err := s.queries.TokenRevoke(ctx, tx, token)
		if err != nil {
			return notFound(err, "token "+token)
		}
		return s.audit(ctx, tx, 0, by, "token.revoke", label, token)
	})
}

// TokenOwner finds the token of a secret, or returns [ErrNotFound] where it is
// unknown, revoked or expired. now is the database's. The use is noted once a minute.
func (s *Store) TokenOwner(ctx context.Context, secret string) (token Token, now time.Time, err error) {
	if !wellFormed(secret, TokenPrefix) {
		return Token{}, time.Time{}, fmt.Errorf("token: %w", ErrNotFound)
	}
	hash := hashOf(secret)
	row, err := s.queries.TokenOwner(ctx, s.pool, hash)
	if err == nil && !sameHash(row.Token.TokenHash, hash) {
		err = pgx.ErrNoRows
	}
	if err != nil {
		return Token{}, time.Time{}, notFound(err, "token")
	}
	if row.Stale {
		if err := s.queries.TokenUsed(ctx, s.pool, row.Token.TokenID); err != nil {
			return Token{}, time.Time{}, err
		}
	}
	return newToken(row.Token, row.Project), row.Now, nil
}

// LogInByToken is [Store.TokenOwner] for somebody who logs in, which enters the
// audit log.
func (s *Store) LogInByToken(ctx context.Context, secret string) (token Token, now time.Time, err error) {
	token, now, err = s.TokenOwner(ctx, secret)
	if err != nil {
		return Token{}, time.Time{}, err
	}
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		return s.audit(ctx, tx, 0, engine.Operator("token:"+token.Label), "token.login", token.Label, token.ID)
	})
	return token, now, err
}

// TokenSession reads the token that somebody logged in with at a moment, or
// returns [ErrNotFound] where it no longer holds or the login is 12 hours old.
// recent says that the login is not older than 15 minutes.
func (s *Store) TokenSession(ctx context.Context, tokenID string, loggedInAt time.Time) (token Token, recent bool, err error) {
	if !id.Valid(tokenID) {
		return Token{}, false, fmt.Errorf("token: %w", ErrNotFound)
	}
	row, err := s.queries.TokenSession(ctx, s.pool, dbsqlc.TokenSessionParams{TokenID: tokenID, LoggedInAt: loggedInAt})
	if err != nil {
		return Token{}, false, notFound(err, "token")
	}
	return newToken(row.Token, row.Project), row.Recent, nil
}

func newToken(row dbsqlc.Token, project string) Token {
	return Token{ID: row.TokenID, Label: row.Label, Role: row.Role, Project: project, Ending: row.Ending, CreatedAt: row.CreatedAt,
		CreatedBy: row.CreatedBy, ExpiresAt: value(row.ExpiresAt), LastUsedAt: value(row.LastUsedAt), RevokedAt: value(row.RevokedAt)}
}
