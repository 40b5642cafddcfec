package access

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/dbsqlc"
	"github.com/sendpromptly/sendpromptly/internal/input"
	"github.com/sendpromptly/sendpromptly/internal/pg"
	"github.com/sendpromptly/sendpromptly/internal/store"
	"github.com/sendpromptly/sendpromptly/internal/store/projects"
)

// FirstAdmin is the address of the first invite link in a new deployment.
const FirstAdmin = "admin@localhost"

// Operators are the people who may log in.
type Operators struct {
	db    *store.DB
	audit *projects.AuditLog
}

// OperatorAccount is a person who may log in.
type OperatorAccount struct {
	// Email is in lower case.
	Email string `json:"email"`
	// Role is viewer, operator or admin.
	Role string `json:"role"`
	// Vouched is true if the role is from the identity provider. It is valid only while the
	// provider gives one.
	Vouched     bool      `json:"-"`
	CreatedAt   time.Time `json:"created_at"`
	CreatedBy   string    `json:"created_by"`
	LastLoginAt time.Time `json:"last_login_at,omitzero"`
}

var roles = []string{"viewer", "operator", "admin"}

func checkRole(role string) error {
	if !slices.Contains(roles, role) {
		return &engine.FieldError{Field: "role", Reason: "must be viewer, operator or admin"}
	}
	return nil
}

// checkEmail returns the address in its stored form.
func checkEmail(email string) (string, error) {
	if err := store.Invalid("email", input.Label(email, input.NameLimit)); err != nil {
		return "", err
	}
	// Only ASCII is lower-cased: other letters may become ASCII, such as the Kelvin sign k, and
	// would give another person's address.
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

// Invite adds an operator, or changes the role of an existing one. It returns the secret of a
// one-time login link that is valid for 15 minutes.
func (o *Operators) Invite(ctx context.Context, email, role string, by engine.Operator) (string, error) {
	email, err := checkEmail(email)
	if err := errors.Join(err, checkRole(role), store.Invalid("by", input.Label(string(by), input.NameLimit))); err != nil {
		return "", err
	}
	link := ""
	err = o.db.InTx(ctx, func(tx pgx.Tx) error {
		if role != "admin" {
			if err := o.keepAnAdmin(ctx, tx, email); err != nil {
				return err
			}
		}
		if _, err := o.db.Queries.OperatorInvite(
			ctx,
			tx,
			dbsqlc.OperatorInviteParams{Email: email, Role: role, CreatedBy: string(by)},
		); err != nil {
			return err
		}
		if err := o.audit.Add(ctx, tx, 0, by, "operator.invite", email, role); err != nil {
			return err
		}
		link, err = o.addLink(ctx, tx, email)
		return err
	})
	return link, err
}

// Get returns one operator, or [engine.ErrNotFound].
func (o *Operators) Get(ctx context.Context, email string) (OperatorAccount, error) {
	email, err := checkEmail(email)
	if err != nil {
		return OperatorAccount{}, err
	}
	row, err := o.db.Queries.OperatorGet(ctx, o.db.Pool, email)
	return newOperatorAccount(row), store.OrNotFound(err, "operator "+email)
}

// List returns all operators, sorted by email.
func (o *Operators) List(ctx context.Context) ([]OperatorAccount, error) {
	rows, err := o.db.Queries.OperatorList(ctx, o.db.Pool)
	all := make([]OperatorAccount, len(rows))
	for i, row := range rows {
		all[i] = newOperatorAccount(row)
	}
	return all, err
}

// SetRole changes an operator's role from the next request on.
func (o *Operators) SetRole(ctx context.Context, email, role string, by engine.Operator) error {
	email, err := checkEmail(email)
	if err := errors.Join(err, checkRole(role), store.Invalid("by", input.Label(string(by), input.NameLimit))); err != nil {
		return err
	}
	return o.db.InTx(ctx, func(tx pgx.Tx) error {
		if role != "admin" {
			if err := o.keepAnAdmin(ctx, tx, email); err != nil {
				return err
			}
		}
		changed, err := o.db.Queries.OperatorSetRole(ctx, tx, dbsqlc.OperatorSetRoleParams{Role: role, Email: email})
		if err == nil && changed == 0 {
			err = store.NotFound("operator %s", email)
		}
		if err != nil {
			return err
		}
		return o.audit.Add(ctx, tx, 0, by, "operator.role", email, role)
	})
}

// Remove removes an operator and ends its sessions and links at once.
func (o *Operators) Remove(ctx context.Context, email string, by engine.Operator) error {
	email, err := checkEmail(email)
	if err := errors.Join(err, store.Invalid("by", input.Label(string(by), input.NameLimit))); err != nil {
		return err
	}
	return o.db.InTx(ctx, func(tx pgx.Tx) error {
		if err := o.keepAnAdmin(ctx, tx, email); err != nil {
			return err
		}
		removed, err := o.db.Queries.OperatorRemove(ctx, tx, email)
		if err == nil && removed == 0 {
			err = store.NotFound("operator %s", email)
		}
		if err != nil {
			return err
		}
		if err := o.db.Queries.LoginLinkRemove(ctx, tx, email); err != nil {
			return err
		}
		return o.audit.Add(ctx, tx, 0, by, "operator.remove", email, "")
	})
}

// keepAnAdmin refuses to demote or remove the last admin.
func (o *Operators) keepAnAdmin(ctx context.Context, tx pgx.Tx, email string) error {
	admins, err := o.db.Queries.OperatorLockAdmins(ctx, tx)
	if err == nil && len(admins) == 1 && admins[0] == email {
		return &engine.FieldError{Field: "email", Reason: "is the only admin: invite another admin first"}
	}
	return err
}

// Configured reports whether anyone can log in: with a valid token, or as an operator other than a
// first admin who has never logged in.
func (o *Operators) Configured(ctx context.Context) (bool, error) {
	return o.db.Queries.AccessConfigured(ctx, o.db.Pool, FirstAdmin)
}

func newOperatorAccount(row dbsqlc.OperatorRow) OperatorAccount {
	return OperatorAccount{
		Email:       row.Email,
		Role:        row.Role,
		Vouched:     row.Vouched,
		CreatedAt:   row.CreatedAt,
		CreatedBy:   row.CreatedBy,
		LastLoginAt: pg.Value(row.LastLoginAt),
	}
}
