package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/dbsqlc"
)

// FirstAdmin is the address that the first invite link of a new deployment is for.
const FirstAdmin = "admin@localhost"

const linkPrefix = ""

// OperatorAccount is a person who may log in.
type OperatorAccount struct {
	// Email is in lower case.
	Email string `json:"email"`
	// Role is viewer, operator or admin.
	Role string `json:"role"`
	// Vouched says that the role is the identity provider's, and holds only
	// while the provider gives one.
	Vouched     bool      `json:"-"`
	CreatedAt   time.Time `json:"created_at"`
	CreatedBy   string    `json:"created_by"`
	LastLoginAt time.Time `json:"last_login_at,omitzero"`
}

// Login is what a session keeps of who began it.
type Login struct {
	OperatorAccount
	// At is when, by the database's clock.
	At time.Time
}

var roles = []string{"viewer", "operator", "admin"}

func checkRole(role string) error {
	if !slices.Contains(roles, role) {
		return &engine.FieldError{Field: "role", Reason: "must be viewer, operator or admin"}
	}
	return nil
}

// checkEmail returns the address as it is stored.
func checkEmail(email string) (string, error) {
	if err := checkName("email", email); err != nil {
		return "", err
	}
	// ASCII alone is folded: other letters fold into it, as the Kelvin sign into
	// k, and their addresses are somebody else's.
	email = strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}, strings.TrimSpace(email))
	name, host, found := strings.Cut(email, "@")
	if !found || name == "" || host == "" || strings.ContainsAny(email, " <>\"',;:") {
		return "", &engine.FieldError{Field: "email", Reason: "must be an address such as ada@example.com"}
	}
	return email, nil
}

// InviteOperator adds an operator, or gives one that is there the role, and
// returns the secret of a one-time login link that works for 15 minutes.
func (s *Store) InviteOperator(ctx context.Context, email, role string, by engine.Operator) (string, error) {
	email, err := checkEmail(email)
	if err := errors.Join(err, checkRole(role), checkName("by", string(by))); err != nil {
		return "", err
	}
	link := ""
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		if role != "admin" {
			if err := s.keepAnAdmin(ctx, tx, email); err != nil {
				return err
			}
		}
		if _, err := s.queries.OperatorInvite(ctx, tx, dbsqlc.OperatorInviteParams{Email: email, Role: role, CreatedBy: string(by)}); err != nil {
			return err
		}
		if err := s.audit(ctx, tx, 0, by, "operator.invite", email, role); err != nil {
			return err
		}
		link, err = s.addLink(ctx, tx, email)
		return err
	})
	return link, err
}

// LoginLink returns the secret of a one-time login link for an operator, or [ErrNotFound].
func (s *Store) LoginLink(ctx context.Context, email string, by engine.Operator) (string, error) {
	email, err := checkEmail(email)
	if err != nil {
		return "", err
	}
	link := ""
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		if _, err := s.queries.OperatorGet(ctx, tx, email); err != nil {
			return notFound(err, "operator "+email)
		}
		if err := s.audit(ctx, tx, 0, by, "operator.login_link", email, ""); err != nil {
			return err
		}
		link, err = s.addLink(ctx, tx, email)
		return err
	})
	return link, err
}

// LoginLinkFresh says whether the operator was given a link within the last
// minute, so that nobody can fill somebody's mailbox.
func (s *Store) LoginLinkFresh(ctx context.Context, email string) (bool, error) {
	email, err := checkEmail(email)
	if err != nil {
		return false, err
	}
	return s.queries.LoginLinkFresh(ctx, s.pool, email)
}

func (s *Store) addLink(ctx context.Context, tx pgx.Tx, email string) (string, error) {
	link, hash, _ := newSecret(linkPrefix)
	return link, s.queries.LoginLinkCreate(ctx, tx, dbsqlc.LoginLinkCreateParams{LinkHash: hash, Email: email})
}

// UseLoginLink takes a link, once, and logs its operator in; [ErrNotFound]
// where it is unknown, used or expired, or the operator was removed.
func (s *Store) UseLoginLink(ctx context.Context, secret string) (Login, error) {
	if !wellFormed(secret, linkPrefix) {
		return Login{}, fmt.Errorf("login link: %w", ErrNotFound)
	}
	var login Login
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		email, err := s.queries.LoginLinkUse(ctx, tx, hashOf(secret))
		if err != nil {
			return notFound(err, "login link")
		}
		login, err = s.logIn(ctx, tx, email, "link")
		return err
	})
	return login, err
}

// LogInByOIDC logs in whom an identity provider vouches for. A role that the
// provider gives is the operator's from now on; with "" only somebody gets in
// whose role was given here, and [ErrNotFound] says that it was not.
func (s *Store) LogInByOIDC(ctx context.Context, email, role string) (Login, error) {
	email, err := checkEmail(email)
	if err != nil {
		return Login{}, err
	}
	var login Login
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		if err := s.vouch(ctx, tx, email, role); err != nil {
			return err
		}
		login, err = s.logIn(ctx, tx, email, "oidc")
		return err
	})
	return login, err
}

// vouch gives an operator the role that an identity provider says. Without one
// it refuses those whose role was the provider's.
func (s *Store) vouch(ctx context.Context, tx pgx.Tx, email, role string) error {
	if role == "" {
		row, err := s.queries.OperatorGet(ctx, tx, email)
		if err == nil && row.Vouched {
			err = pgx.ErrNoRows
		}
		return notFound(err, "a role of "+email)
	}
	if err := checkRole(role); err != nil {
		return err
	}
	changed, err := s.queries.OperatorVouch(ctx, tx, dbsqlc.OperatorVouchParams{Email: email, Role: role})
	if err != nil || !changed {
		return err
	}
	return s.audit(ctx, tx, 0, "oidc", "operator.role", email, role)
}

func (s *Store) logIn(ctx context.Context, tx pgx.Tx, email, how string) (Login, error) {
	row, err := s.queries.OperatorLoggedIn(ctx, tx, email)
	if err != nil {
		return Login{}, notFound(err, "operator "+email)
	}
	return Login{newOperator(row), value(row.LastLoginAt)}, s.audit(ctx, tx, 0, engine.Operator(email), "operator.login", email, how)
}

// OperatorSession reads the operator who logged in at a moment. It returns
// [ErrNotFound] where the operator was removed since, or the login is 12 hours
// old. recent says that the login is not older than 15 minutes.
func (s *Store) OperatorSession(ctx context.Context, email string, loggedInAt time.Time) (who OperatorAccount, recent bool, err error) {
	row, err := s.queries.OperatorSession(ctx, s.pool, dbsqlc.OperatorSessionParams{Email: email, LoggedInAt: loggedInAt})
	if err != nil {
		return OperatorAccount{}, false, notFound(err, "session")
	}
	return newOperator(row.OperatorRow), row.Recent, nil
}

// Operator reads one operator, or returns [ErrNotFound].
func (s *Store) Operator(ctx context.Context, email string) (OperatorAccount, error) {
	email, err := checkEmail(email)
	if err != nil {
		return OperatorAccount{}, err
	}
	row, err := s.queries.OperatorGet(ctx, s.pool, email)
	return newOperator(row), notFound(err, "operator "+email)
}

// Operators reads all operators by email.
func (s *Store) Operators(ctx context.Context) ([]OperatorAccount, error) {
	rows, err := s.queries.OperatorList(ctx, s.pool)
	all := make([]OperatorAccount, len(rows))
	for i, row := range rows {
		all[i] = newOperator(row)
	}
	return all, err
}

// SetOperator gives an operator another role, which holds from the next request on.
func (s *Store) SetOperator(ctx context.Context, email, role string, by engine.Operator) error {
	email, err := checkEmail(email)
	if err := errors.Join(err, checkRole(role), checkName("by", string(by))); err != nil {
		return err
	}
	return s.inTx(ctx, func(tx pgx.Tx) error {
		if role != "admin" {
			if err := s.keepAnAdmin(ctx, tx, email); err != nil {
				return err
			}
		}
		changed, err := s.queries.OperatorSetRole(ctx, tx, dbsqlc.OperatorSetRoleParams{Role: role, Email: email})
		if err == nil && changed == 0 {
			err = fmt.Errorf("operator %s: %w", email, ErrNotFound)
		}
		if err != nil {
			return err
		}
		return s.audit(ctx, tx, 0, by, "operator.role", email, role)
	})
}

// RemoveOperator removes an operator, whose sessions and links end at once.
func (s *Store) RemoveOperator(ctx context.Context, email string, by engine.Operator) error {
	email, err := checkEmail(email)
	if err := errors.Join(err, checkName("by", string(by))); err != nil {
		return err
	}
	return s.inTx(ctx, func(tx pgx.Tx) error {
		if err := s.keepAnAdmin(ctx, tx, email); err != nil {
			return err
		}
		removed, err := s.queries.OperatorRemove(ctx, tx, email)
		if err == nil && removed == 0 {
			err = fmt.Errorf("operator %s: %w", email, ErrNotFound)
		}
		if err != nil {
			return err
		}
		if err := s.queries.LoginLinkRemove(ctx, tx, email); err != nil {
			return err
		}
		return s.audit(ctx, tx, 0, by, "operator.remove", email, "")
	})
}

// keepAnAdmin refuses to take the role from the last one who has it.
func (s *Store) keepAnAdmin(ctx context.Context, tx pgx.Tx, email string) error {
	admins, err := s.queries.OperatorLockAdmins(ctx, tx)
	if err == nil && len(admins) == 1 && admins[0] == email {
		return &engine.FieldError{Field: "email", Reason: "is the only admin's: invite another admin first"}
	}
	return err
}

// AccessConfigured says whether anybody can come in: an operator other than a
// first admin who never came, or a token that holds.
func (s *Store) AccessConfigured(ctx context.Context) (bool, error) {
	return s.queries.AccessConfigured(ctx, s.pool, FirstAdmin)
}

func newOperator(row dbsqlc.OperatorRow) OperatorAccount {
	return OperatorAccount{Email: row.Email, Role: row.Role, Vouched: row.Vouched, CreatedAt: row.CreatedAt, CreatedBy: row.CreatedBy, LastLoginAt: value(row.LastLoginAt)}
}

// notFound turns the driver's word for no row into ours.
func notFound(err error, what string) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return fmt.Errorf("%s: %w", what, ErrNotFound)
	}
	return err
}
