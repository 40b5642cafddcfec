package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/sendpromptly/sendpromptly/adminserver/internal/identity"
	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/store/access"
	"github.com/sendpromptly/sendpromptly/internal/wire"
)

// Invitation is an operator to invite.
type Invitation struct {
	Email string `json:"email" minLength:"3" maxLength:"254"`
	Role  string `json:"role" enum:"viewer,operator,admin"`
}

// NewRole is an operator's new role.
type NewRole struct {
	Role string `json:"role" enum:"viewer,operator,admin"`
}

// OperatorPath is the operator of a path.
type OperatorPath struct {
	Email string `path:"email" maxLength:"254" doc:"The operator's address."`
}

// noID turns the error about an invalid id in a path into "not found".
func noID(err error) error {
	var field *engine.FieldError
	if errors.As(err, &field) {
		return engine.ErrNotFound
	}
	return err
}

func addPeople(r *room) {
	line := operation{
		method: http.MethodGet,
		path:   "/operators",
		id:     "operators-list",
		tag:    "People",
		role:   identity.Admin,
		title:  "List operators",
	}
	add(r, line, func(ctx context.Context, _ *struct{}) (*reply[wire.Operators], error) {
		if err := everywhere(ctx); err != nil {
			return nil, err
		}
		all, err := r.Access.Operators.List(ctx)
		return &reply[wire.Operators]{wire.Operators{Operators: append([]access.OperatorAccount{}, all...)}}, err
	})
	line = operation{
		method: http.MethodPost,
		path:   "/operators",
		id:     "operators-invite",
		tag:    "People",
		role:   identity.Admin,
		recent: true,
		status: http.StatusCreated,
		title:  "Invite an operator",
		text:   "An existing operator gets the role and a new link.",
		errors: withBody,
	}
	add(r, line, func(ctx context.Context, in *struct {
		Body Invitation
	},
	) (*reply[wire.LoginLink], error) {
		if err := everywhere(ctx); err != nil {
			return nil, err
		}
		token, err := r.Access.Operators.Invite(ctx, in.Body.Email, in.Body.Role, identity.From(ctx).Actor())
		return &reply[wire.LoginLink]{wire.LoginLink{URL: r.Base.URL("/login/" + token)}}, err
	})
	changePeople(r)
}

// changePeople are the operations on an existing operator.
func changePeople(r *room) {
	line := operation{
		method: http.MethodPatch, path: "/operators/{email}", id: "operators-set", tag: "People", role: identity.Admin, recent: true,
		status: http.StatusNoContent, title: "Change an operator's role", errors: withBody,
	}
	add(r, line, func(ctx context.Context, in *struct {
		OperatorPath
		Body NewRole
	},
	) (*struct{}, error) {
		if err := everywhere(ctx); err != nil {
			return nil, err
		}
		return nil, r.Access.Operators.SetRole(ctx, in.Email, in.Body.Role, identity.From(ctx).Actor())
	})
	line = operation{
		method: http.MethodDelete,
		path:   "/operators/{email}",
		id:     "operators-remove",
		tag:    "People",
		role:   identity.Admin,
		recent: true,
		status: http.StatusNoContent,
		title:  "Remove an operator",
		text:   "Their sessions end immediately.",
		errors: []int{http.StatusNotFound},
	}
	add(r, line, func(ctx context.Context, in *OperatorPath) (*struct{}, error) {
		if err := everywhere(ctx); err != nil {
			return nil, err
		}
		return nil, r.Access.Operators.Remove(ctx, in.Email, identity.From(ctx).Actor())
	})
}

// NewToken is a token to create.
type NewToken struct {
	Role           string  `json:"role" enum:"viewer,operator,admin"`
	Label          string  `json:"label" minLength:"1" maxLength:"255"`
	Project        string  `json:"project,omitempty" maxLength:"63" doc:"Default: all projects."`
	ExpiresSeconds float64 `json:"expires_in_seconds,omitempty" minimum:"60" maximum:"315360000" doc:"Default: the token never expires."`
}

func addTokens(r *room) {
	line := operation{
		method: http.MethodGet,
		path:   "/tokens",
		id:     "tokens-list",
		tag:    "People",
		role:   identity.Admin,
		title:  "List API tokens",
	}
	add(r, line, func(ctx context.Context, _ *struct{}) (*reply[wire.Tokens], error) {
		if err := everywhere(ctx); err != nil {
			return nil, err
		}
		all, err := r.Access.Tokens.List(ctx)
		return &reply[wire.Tokens]{wire.Tokens{Tokens: append([]access.Token{}, all...)}}, err
	})
	line = operation{
		method: http.MethodPost, path: "/tokens", id: "tokens-create", tag: "People", role: identity.Admin, recent: true,
		status: http.StatusCreated, title: "Create an API token", errors: withBody,
	}
	add(r, line, func(ctx context.Context, in *struct {
		Body NewToken
	},
	) (*reply[wire.TokenWithSecret], error) {
		if err := everywhere(ctx); err != nil {
			return nil, err
		}
		b := in.Body
		token, secret, err := r.Access.Tokens.Create(
			ctx,
			b.Role,
			b.Label,
			b.Project,
			time.Duration(b.ExpiresSeconds)*time.Second,
			identity.From(ctx).Actor(),
		)
		return &reply[wire.TokenWithSecret]{wire.TokenWithSecret{Token: token, Secret: secret}}, err
	})
	line = operation{
		method: http.MethodDelete, path: "/tokens/{id}", id: "tokens-revoke", tag: "People", role: identity.Admin, recent: true,
		status: http.StatusNoContent, title: "Revoke an API token", errors: []int{http.StatusNotFound},
	}
	add(r, line, func(ctx context.Context, in *struct {
		ID string `path:"id" maxLength:"36"`
	},
	) (*struct{}, error) {
		if err := everywhere(ctx); err != nil {
			return nil, err
		}
		return nil, noID(r.Access.Tokens.Revoke(ctx, in.ID, identity.From(ctx).Actor()))
	})
}
