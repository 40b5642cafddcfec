package adminserver

import (
	"net/http"

	"github.com/sendpromptly/sendpromptly/adminserver/internal/identity"
)

// Role is what an [Identity] may do. Each role includes the ones before it.
type Role int

// The roles. A viewer reads; an operator acts on incidents; an admin changes
// projects, keys, secrets and operators.
const (
	Viewer Role = iota + 1 // as identity numbers them
	Operator
	Admin
)

// String returns viewer, operator or admin, or "none" for any other value.
func (r Role) String() string { return identity.Role(r).String() }

// Identity is the caller, as the embedding app vouches for them. The zero value
// has no permissions.
type Identity struct {
	// Name enters timelines and the audit log: an email address, for example.
	Name string
	Role Role
	// Project is the name of the only project that the caller may read; "" means all projects.
	Project string
	// Recent says that the caller logged in within the last 15 minutes, which
	// changes of keys, secrets, repair URLs and operators require.
	Recent bool
}

// Authenticate finds out who sent a request. ok is false for a caller who is not known. An error means that
// the check itself failed: the answer is 503.
type Authenticate func(r *http.Request) (who Identity, ok bool, err error)

// inside is the function as the rooms call it.
func (a Authenticate) inside() identity.Authenticate {
	if a == nil {
		return nil
	}
	return func(r *http.Request) (identity.Identity, bool, error) {
		who, ok, err := a(r)
		return identity.Identity{Name: who.Name, Role: identity.Role(who.Role), Project: who.Project, Recent: who.Recent}, ok, err
	}
}
