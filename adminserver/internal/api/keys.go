package api

import (
	"context"
	"net/http"

	"github.com/sendpromptly/sendpromptly/adminserver/internal/access"
	"github.com/sendpromptly/sendpromptly/internal/store"
	"github.com/sendpromptly/sendpromptly/internal/wire"
)

// Label says what something is for.
type Label struct {
	Label string `json:"label" minLength:"1" maxLength:"255"`
}

func keys(r *room) {
	line := operation{method: http.MethodGet, path: "/projects/{name}/keys", id: "keys-list", tag: "Projects", role: access.Admin, title: "List a project's API keys",
		errors: []int{http.StatusNotFound}}
	add(r, line, func(ctx context.Context, in *ProjectPath) (*reply[wire.Keys], error) {
		name, err := r.inPath(ctx, *in)
		if err != nil {
			return nil, err
		}
		all, err := r.Store.Keys(ctx, name)
		return &reply[wire.Keys]{wire.Keys{Keys: append([]store.Key{}, all...)}}, err
	})
	line = operation{method: http.MethodPost, path: "/projects/{name}/keys", id: "keys-create", tag: "Projects", role: access.Admin, recent: true,
		status: http.StatusCreated, title: "Create an API key", errors: withBody}
	add(r, line, func(ctx context.Context, in *struct {
		ProjectPath
		Body Label
	}) (*reply[wire.KeyWithSecret], error) {
		name, err := r.inPath(ctx, in.ProjectPath)
		if err != nil {
			return nil, err
		}
		key, secret, err := r.Store.CreateKey(ctx, name, in.Body.Label, access.From(ctx).Actor())
		return &reply[wire.KeyWithSecret]{wire.KeyWithSecret{Key: key, Secret: secret}}, err
	})
	line = operation{method: http.MethodDelete, path: "/projects/{name}/keys/{key}", id: "keys-revoke", tag: "Projects", role: access.Admin, recent: true,
		status: http.StatusNoContent, title: "Revoke an API key", text: "It is refused from now on, for ever.", errors: []int{http.StatusNotFound}}
	add(r, line, func(ctx context.Context, in *struct {
		ProjectPath
		Key string `path:"key" maxLength:"36" doc:"The key's id."`
	}) (*struct{}, error) {
		name, err := r.inPath(ctx, in.ProjectPath)
		if err != nil {
			return nil, err
		}
		return nil, noID(r.Store.RevokeKey(ctx, name, in.Key, access.From(ctx).Actor()))
	})
}
