package api

import (
	"context"
	"net/http"

	"github.com/sendpromptly/sendpromptly/adminserver/internal/identity"
	"github.com/sendpromptly/sendpromptly/internal/store/access"
	"github.com/sendpromptly/sendpromptly/internal/wire"
)

// Label says what something is for.
type Label struct {
	Label string `json:"label" minLength:"1" maxLength:"255"`
}

func addKeys(r *room) {
	line := operation{
		method: http.MethodGet,
		path:   "/projects/{name}/keys",
		id:     "keys-list",
		tag:    "Projects",
		role:   identity.Admin,
		title:  "List a project's API keys",
		errors: []int{http.StatusNotFound},
	}
	add(r, line, func(ctx context.Context, in *ProjectPath) (*reply[wire.Keys], error) {
		name, err := r.inPath(ctx, *in)
		if err != nil {
			return nil, err
		}
		all, err := r.Access.Keys.List(ctx, name)
		return &reply[wire.Keys]{wire.Keys{Keys: append([]access.APIKey{}, all...)}}, err
	})
	line = operation{
		method: http.MethodPost, path: "/projects/{name}/keys", id: "keys-create", tag: "Projects", role: identity.Admin, recent: true,
		status: http.StatusCreated, title: "Create an API key", errors: withBody,
	}
	add(r, line, func(ctx context.Context, in *struct {
		ProjectPath
		Body Label
	},
	) (*reply[wire.KeyWithSecret], error) {
		name, err := r.inPath(ctx, in.ProjectPath)
		if err != nil {
			return nil, err
		}
		key, secret, err := r.Access.Keys.Create(ctx, name, in.Body.Label, identity.From(ctx).Actor())
		return &reply[wire.KeyWithSecret]{wire.KeyWithSecret{APIKey: key, Secret: secret}}, err
	})
	line = operation{
		method: http.MethodDelete,
		path:   "/projects/{name}/keys/{key}",
		id:     "keys-revoke",
		tag:    "Projects",
		role:   identity.Admin,
		recent: true,
		status: http.StatusNoContent,
		title:  "Revoke an API key",
		text:   "Requests with this key are refused from now on.",
		errors: []int{http.StatusNotFound},
	}
	add(r, line, func(ctx context.Context, in *struct {
		ProjectPath
		Key string `path:"key" maxLength:"36" doc:"The key's id."`
	},
	) (*struct{}, error) {
		name, err := r.inPath(ctx, in.ProjectPath)
		if err != nil {
			return nil, err
		}
		return nil, noID(r.Access.Keys.Revoke(ctx, name, in.Key, identity.From(ctx).Actor()))
	})
}
