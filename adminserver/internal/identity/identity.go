// Package identity answers who asks and what they may do: operators with a
// session, tokens, and whoever the embedding app vouches for.
package identity

import (
	"context"
	"net/http"

	"github.com/sendpromptly/sendpromptly/engine"
)

// Role is what an operator may do. Each may all that the ones before it may.
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

// String returns the role's name, "none" for what is no role.
func (r Role) String() string {
	if name, ok := roleNames[r]; ok {
		return name
	}
	return "none"
}

// Identity is who asks. The zero value may nothing.
type Identity struct {
	// Name enters timelines and the audit log: an email address, or
	// "token:LABEL".
	Name string
	Role Role
	// Project is the name of the only project that exists for this identity;
	// "" is all of them.
	Project string
	// Recent says that it proved itself within the last 15 minutes, which keys,
	// secrets, the repair URL and operators need.
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

// Authenticate finds out who sent a request. ok is false where nobody known
// did; err is for what kept it from finding out.
type Authenticate func(r *http.Request) (who Identity, ok bool, err error)

type identityKey struct{}

// With returns a context that carries the identity.
func With(ctx context.Context, who Identity) context.Context {
	return context.WithValue(ctx, identityKey{}, who)
}

// From returns the identity of the request that ctx belongs to; the zero
// Identity, which may nothing, where there is none.
func From(ctx context.Context) Identity {
	who, _ := ctx.Value(identityKey{}).(Identity)
	return who
}
