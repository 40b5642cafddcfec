package api

import (
	"context"
	"net/http"

	"github.com/sendpromptly/sendpromptly/adminserver/internal/identity"
	"github.com/sendpromptly/sendpromptly/internal/store/access"
)

// Keys are a project's API keys, newest first, revoked ones too.
type Keys struct {
	Keys []access.APIKey `json:"keys"`
}

// Label says what something is for.
type Label struct {
	Label string `json:"label" minLength:"1" maxLength:"255"`
}

// KeyWithSecret is a new API key, which is shown once.
type KeyWithSecret struct {
	access.APIKey
	Secret string `json:"key" doc:"sk_ and 40 characters, shown this once."`
}

func addKeys(r *room) {
	line := operation{method: http.MethodGet, path: "/projects/{name}/keys", id: "keys-list", tag: "Projects", role: identity.Admin, title: "List a project's API keys",
		errors: []int{http.StatusNotFound}}
	add(r, line, func(ctx context.Context, in *ProjectPath) (*reply[Keys], error) {
		name, err := r.inPath(ctx, *in)
		if err != nil {
			return nil, err
		}
		all, err := r.Access.Keys.List(ctx, name)
		return &reply[Keys]{Keys{append([]access.APIKey{}, all...)}}, err
	})
	line = operation{method: http.MethodPost, path: "/projects/{name}/keys", id: "keys-create", tag: "Projects", role: identity.Admin, recent: true,
		status: http.StatusCreated, title: "Create an API key", errors: withBody}
	add(r, line, func(ctx context.Context, in *struct {
		ProjectPath
		Body Label
	}) (*reply[KeyWithSecret], error) {
		name, err := r.inPath(ctx, in.ProjectPath)
		if err != nil {
			return nil, err
		}
		key, secret, err := r.Access.Keys.Create(ctx, name, in.Body.Label, identity.From(ctx).Actor())
		return &reply[KeyWithSecret]{KeyWithSecret{key, secret}}, err
	})
	line = operation{method: http.MethodDelete, path: "/projects/{name}/keys/{key}", id: "keys-revoke", tag: "Projects", role: identity.Admin, recent: true,
		status: http.StatusNoContent, title: "Revoke an API key", text: "It is refused from now on, for ever.", errors: []int{http.StatusNotFound}}
	add(r, line, func(ctx context.Context, in *struct {
		ProjectPath
		Key string `path:"key" maxLength:"36" doc:"The key's id."`
	}) (*struct{}, error) {
		name, err := r.inPath(ctx, in.ProjectPath)
		if err != nil {
			return nil, err
		}
		return nil, noID(r.Access.Keys.Revoke(ctx, name, in.Key, identity.From(ctx).Actor()))
	})
}
