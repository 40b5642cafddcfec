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

// TokenPrefix begins every token for the admin API.
const TokenPrefix = "spt_"

// Tokens are the tokens for the admin API, of all projects.
type Tokens struct {
	db       *store.DB
	projects *projects.Projects
}

// Token is a token, without its secret. A program uses it for the admin API, a person to log in to
// the console.
type Token struct {
	ID    string `json:"id"`
	Label string `json:"label"`
	// Role is viewer, operator or admin.
	Role string `json:"role"`
	// Project is the only project that the token may access; "" is all.
	Project string `json:"project,omitempty"`
	// Ending are the last four characters of the secret.
	Ending     string    `json:"ending"`
	CreatedAt  time.Time `json:"created_at"`
	CreatedBy  string    `json:"created_by"`
	ExpiresAt  time.Time `json:"expires_at,omitzero"`
	LastUsedAt time.Time `json:"last_used_at,omitzero"`
	RevokedAt  time.Time `json:"revoked_at,omitzero"`
}

// Create adds a token. project "" means all projects, and a lifetime of 0 means no expiry. It
// returns the secret, spt_ and 40 characters, which is not shown again.
func (t *Tokens) Create(
	ctx context.Context,
	role, label, project string,
	lifetime time.Duration,
	by engine.Operator,
) (Token, string, error) {
	if err := errors.Join(
		checkRole(role),
		store.Invalid("label", input.Label(label, input.NameLimit)),
		store.Invalid("by", input.Label(string(by), input.NameLimit)),
	); err != nil {
		return Token{}, "", err
	}
	if lifetime < 0 || lifetime > 10*365*24*time.Hour {
		return Token{}, "", &engine.FieldError{Field: "expires", Reason: "must be between 1 microsecond and 10 years"}
	}
	params := dbsqlc.TokenCreateParams{Label: label, Role: role, CreatedBy: string(by)}
	if project != "" {
		var err error
		if params.ProjectID, err = t.projects.ID(ctx, project); err != nil {
			return Token{}, "", err
		}
	}
	if lifetime > 0 {
		params.Lifetime = pg.Optional(pg.Interval(lifetime))
	}
	secret, hash, ending := newSecret(TokenPrefix)
	params.TokenHash, params.Ending = hash, ending
	var row dbsqlc.Token
	err := t.db.InTx(ctx, func(tx pgx.Tx) (err error) {
		if row, err = t.db.Queries.TokenCreate(ctx, tx, params); err != nil {
			return err
		}
		return t.projects.Audit.Add(ctx, tx, params.ProjectID, by, "token.create", label, role+" "+row.TokenID)
	})
	if err != nil {
		return Token{}, "", err
	}
	return newToken(row, project), secret, nil
}

// List returns all tokens, newest first, including expired and revoked ones; at most 1,000.
func (t *Tokens) List(ctx context.Context) ([]Token, error) {
	rows, err := t.db.Queries.TokenList(ctx, t.db.Pool)
	all := make([]Token, len(rows))
	for i, row := range rows {
		all[i] = newToken(row.Token, row.Project)
	}
	return all, err
}

// Revoke ends a token and its sessions at once, or returns [engine.ErrNotFound].
func (t *Tokens) Revoke(ctx context.Context, token string, by engine.Operator) error {
	if err := store.Invalid("by", input.Label(string(by), input.NameLimit)); err != nil {
		return err
	}
	if input.UUID(token) != "" {
		return store.NotFound("token")
	}
	return t.db.InTx(ctx, func(tx pgx.Tx) error {
		label, err := t.db.Queries.TokenRevoke(ctx, tx, token)
		if err != nil {
			return store.OrNotFound(err, "token "+token)
		}
		return t.projects.Audit.Add(ctx, tx, 0, by, "token.revoke", label, token)
	})
}

// Find returns the token of a secret, or [engine.ErrNotFound] if it is unknown, revoked or expired.
// now is the database's time. The use is recorded once per minute.
func (t *Tokens) Find(ctx context.Context, secret string) (token Token, now time.Time, err error) {
	if !wellFormed(secret, TokenPrefix) {
		return Token{}, time.Time{}, store.NotFound("token")
	}
	hash := hashOf(secret)
	row, err := t.db.Queries.TokenOwner(ctx, t.db.Pool, hash)
	if err == nil && !sameHash(row.Token.TokenHash, hash) {
		err = pgx.ErrNoRows
	}
	if err != nil {
		return Token{}, time.Time{}, store.OrNotFound(err, "token")
	}
	if row.Stale {
		if err := t.db.Queries.TokenUsed(ctx, t.db.Pool, row.Token.TokenID); err != nil {
			return Token{}, time.Time{}, err
		}
	}
	return newToken(row.Token, row.Project), row.Now, nil
}

// LogIn is [Tokens.Find] for a login, which it records in the audit log.
func (t *Tokens) LogIn(ctx context.Context, secret string) (token Token, now time.Time, err error) {
	token, now, err = t.Find(ctx, secret)
	if err != nil {
		return Token{}, time.Time{}, err
	}
	err = t.db.InTx(ctx, func(tx pgx.Tx) error {
		return t.projects.Audit.Add(ctx, tx, 0, engine.Operator("token:"+token.Label), "token.login", token.Label, token.ID)
	})
	return token, now, err
}

// Session returns the token of a login at a given time. It returns [engine.ErrNotFound] if the
// token is no longer valid or the login is 12 hours old. recent is true if the login is at most 15
// minutes old.
func (t *Tokens) Session(ctx context.Context, tokenID string, loggedInAt time.Time) (token Token, recent bool, err error) {
	if input.UUID(tokenID) != "" {
		return Token{}, false, store.NotFound("token")
	}
	row, err := t.db.Queries.TokenSession(ctx, t.db.Pool, dbsqlc.TokenSessionParams{TokenID: tokenID, LoggedInAt: loggedInAt})
	if err != nil {
		return Token{}, false, store.OrNotFound(err, "token")
	}
	return newToken(row.Token, row.Project), row.Recent, nil
}

func newToken(row dbsqlc.Token, project string) Token {
	return Token{
		ID:         row.TokenID,
		Label:      row.Label,
		Role:       row.Role,
		Project:    project,
		Ending:     row.Ending,
		CreatedAt:  row.CreatedAt,
		CreatedBy:  row.CreatedBy,
		ExpiresAt:  pg.Value(row.ExpiresAt),
		LastUsedAt: pg.Value(row.LastUsedAt),
		RevokedAt:  pg.Value(row.RevokedAt),
	}
}
