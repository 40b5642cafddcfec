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

// Login is what a session keeps of who began it.
type Login struct {
	OperatorAccount
	// At is when, by the database's clock.
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

// LinkFresh says whether the operator was given a link within the last
// minute, so that nobody can fill somebody's mailbox.
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

// UseLink takes a link, once, and logs its operator in; [engine.ErrNotFound]
// where it is unknown, used or expired, or the operator was removed.
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

// LogInByOIDC logs in whom an identity provider vouches for. A role that the
// provider gives is the operator's from now on; with "" only somebody gets in
// whose role was given here, and [engine.ErrNotFound] says that it was not.
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

// vouch gives an operator the role that an identity provider says. Without one
// it refuses those whose role was the provider's.
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

// Session reads the operator who logged in at a moment. It returns
// [engine.ErrNotFound] where the operator was removed since, or the login is 12 hours
// old. recent says that the login is not older than 15 minutes.
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
