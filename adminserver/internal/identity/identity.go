// Package identity represents the caller and its permissions: operators with a session, tokens, and callers
// that the embedding app identifies.
package identity

import (
	"context"
	"net/http"

	"github.com/sendpromptly/sendpromptly/engine"
)

// Role is a set of permissions. Each role includes the ones before it.
type Role int

// The roles. A viewer reads; an operator acts on incidents; an admin changes
// projects, keys, secrets and operators.
const (
	Viewer Role = iota + 1
	Operator
	Admin
)

var roleNames = map[Role]string{Viewer: "viewer", Operator: "operator", Admin: "admin"}

// ParseRole reads a role's name.
func ParseRole(name string) (Role, error) {
	for role, its := range roleNames {
		if its == name {
			return role, nil
		}
	}
	return 0, &engine.FieldError{Field: "role", Reason: "must be viewer, operator or admin"}
}

// String returns the role's name, or "none" for any other value.
func (r Role) String() string {
	if name, ok := roleNames[r]; ok {
		return name
	}
	return "none"
}

// Identity is the caller. The zero value has no permissions.
type Identity struct {
	// Name enters timelines and the audit log: an email address, or
	// "token:LABEL".
	Name string
	Role Role
	// Project is the name of the only project that exists for this identity; "" means all projects.
	Project string
	// Recent says that the caller logged in within the last 15 minutes, which changes of keys, secrets, the
	// repair URL and operators require.
	Recent bool
}

// May says whether the identity has a role or a higher one.
func (i Identity) May(role Role) bool { return i.Name != "" && i.Role >= role }

// Sees says whether a project exists for the identity.
func (i Identity) Sees(project string) bool {
	return i.Name != "" && (i.Project == "" || i.Project == project)
}

// Actor is the identity as timelines and the audit log show it.
func (i Identity) Actor() engine.Operator { return engine.Operator(i.Name) }

// Authenticate identifies the sender of a request. ok is false for an unknown sender; err means that the
// check itself failed.
type Authenticate func(r *http.Request) (who Identity, ok bool, err error)

type identityKey struct{}

// With returns a context that carries the identity.
func With(ctx context.Context, who Identity) context.Context {
	return context.WithValue(ctx, identityKey{}, who)
}

// From returns the identity of the request that ctx belongs to, or the zero Identity, which has no
// permissions.
func From(ctx context.Context) Identity {
	who, _ := ctx.Value(identityKey{}).(Identity)
	return who
}
