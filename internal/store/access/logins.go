package access

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/dbsqlc"
	"github.com/sendpromptly/sendpromptly/internal/pg"
	"github.com/sendpromptly/sendpromptly/internal/store"
)

const linkPrefix = ""

// Login is what a session stores about its login.
type Login struct {
	OperatorAccount
	// At is the time of the login, by the database's clock.
	At time.Time
}

// CreateLink returns the secret of a one-time login link for an operator, or [engine.ErrNotFound].
func (o *Operators) CreateLink(ctx context.Context, email string, by engine.Operator) (string, error) {
	email, err := checkEmail(email)
	if err != nil {
		return "", err
	}
	link := ""
	err = o.db.InTx(ctx, func(tx pgx.Tx) error {
		if _, err := o.db.Queries.OperatorGet(ctx, tx, email); err != nil {
			return store.OrNotFound(err, "operator "+email)
		}
		if err := o.audit.Add(ctx, tx, 0, by, "operator.login_link", email, ""); err != nil {
			return err
		}
		link, err = o.addLink(ctx, tx, email)
		return err
	})
	return link, err
}

// LinkFresh reports whether a link was created for the operator within the last minute, so that
// nobody can flood a mailbox.
func (o *Operators) LinkFresh(ctx context.Context, email string) (bool, error) {
	email, err := checkEmail(email)
	if err != nil {
		return false, err
	}
	return o.db.Queries.LoginLinkFresh(ctx, o.db.Pool, email)
}

func (o *Operators) addLink(ctx context.Context, tx pgx.Tx, email string) (string, error) {
	link, hash, _ := newSecret(linkPrefix)
	return link, o.db.Queries.LoginLinkCreate(ctx, tx, dbsqlc.LoginLinkCreateParams{LinkHash: hash, Email: email})
}

// UseLink uses up a link and logs its operator in. It returns [engine.ErrNotFound] if the link is
// unknown, used or expired, or the operator was removed.
func (o *Operators) UseLink(ctx context.Context, secret string) (Login, error) {
	if !wellFormed(secret, linkPrefix) {
		return Login{}, store.NotFound("login link")
	}
	var login Login
	err := o.db.InTx(ctx, func(tx pgx.Tx) error {
		email, err := o.db.Queries.LoginLinkUse(ctx, tx, hashOf(secret))
		if err != nil {
			return store.OrNotFound(err, "login link")
		}
		login, err = o.logIn(ctx, tx, email, "link")
		return err
	})
	return login, err
}

// LogInByOIDC logs in a person whom an identity provider has authenticated. A role from the
// provider replaces the operator's role. With "", only an operator whose role was set here can log
// in; for others it returns [engine.ErrNotFound].
func (o *Operators) LogInByOIDC(ctx context.Context, email, role string) (Login, error) {
	email, err := checkEmail(email)
	if err != nil {
		return Login{}, err
	}
	var login Login
	err = o.db.InTx(ctx, func(tx pgx.Tx) error {
		if err := o.vouch(ctx, tx, email, role); err != nil {
			return err
		}
		login, err = o.logIn(ctx, tx, email, "oidc")
		return err
	})
	return login, err
}

// vouch sets the operator's role from the identity provider. Without a role it refuses operators
// whose role was from the provider.
func (o *Operators) vouch(ctx context.Context, tx pgx.Tx, email, role string) error {
	if role == "" {
		row, err := o.db.Queries.OperatorGet(ctx, tx, email)
		if err == nil && row.Vouched {
			err = pgx.ErrNoRows
		}
		return store.OrNotFound(err, "a role of "+email)
	}
	if err := checkRole(role); err != nil {
		return err
	}
	changed, err := o.db.Queries.OperatorVouch(ctx, tx, dbsqlc.OperatorVouchParams{Email: email, Role: role})
	if err != nil || !changed {
		return err
	}
	return o.audit.Add(ctx, tx, 0, "oidc", "operator.role", email, role)
}

func (o *Operators) logIn(ctx context.Context, tx pgx.Tx, email, how string) (Login, error) {
	row, err := o.db.Queries.OperatorLoggedIn(ctx, tx, email)
	if err != nil {
		return Login{}, store.OrNotFound(err, "operator "+email)
	}
	err = o.audit.Add(ctx, tx, 0, engine.Operator(email), "operator.login", email, how)
	return Login{newOperatorAccount(row), pg.Value(row.LastLoginAt)}, err
}

// Session returns the operator of a login at a given time. It returns [engine.ErrNotFound] if the
// operator was removed since then, or the login is 12 hours old. recent is true if the login is at
// most 15 minutes old.
func (o *Operators) Session(
	ctx context.Context,
	email string,
	loggedInAt time.Time,
) (who OperatorAccount, recent bool, err error) {
	row, err := o.db.Queries.OperatorSession(ctx, o.db.Pool, dbsqlc.OperatorSessionParams{Email: email, LoggedInAt: loggedInAt})
	if err != nil {
		return OperatorAccount{}, false, store.OrNotFound(err, "session")
	}
	return newOperatorAccount(row.OperatorRow), row.Recent, nil
}
