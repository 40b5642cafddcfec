package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/sendpromptly/sendpromptly/adminserver/internal/identity"
	"github.com/sendpromptly/sendpromptly/adminserver/internal/web"
	"github.com/sendpromptly/sendpromptly/engine"
)

// InProject is the project that a request is about.
type InProject struct {
	Project string `query:"project" maxLength:"63" doc:"Name of the project. Default: the only one that the caller sees, else default."`
}

// project is the name of the project that exists for whoever asks, or
// [engine.ErrNotFound].
func (r *room) project(ctx context.Context, name string) (string, error) {
	who := identity.From(ctx)
	if name == "" {
		if name = who.Project; name == "" {
			name = "default"
		}
	}
	if !who.Sees(name) {
		return "", engine.ErrNotFound
	}
	return name, nil
}

// engineFor is the engine of the project that exists for whoever asks.
func (r *room) engineFor(ctx context.Context, name string) (string, *engine.Engine, error) {
	project, err := r.project(ctx, name)
	if err != nil {
		return "", nil, err
	}
	e, err := r.Engines.For(ctx, project)
	return project, e, err
}

// located is the project of a thing in a path, where that exists for whoever
// asks. What is no id at all does not exist either.
func located(ctx context.Context, project string, err error) (string, error) {
	var field *engine.FieldError
	switch {
	case errors.As(err, &field), err == nil && !identity.From(ctx).Sees(project):
		return "", engine.ErrNotFound
	}
	return project, err
}

// incidentIn is the incident of a path and the engine of its project.
func (r *room) incidentIn(ctx context.Context, id string) (string, *engine.Engine, error) {
	name, err := r.Incidents.ProjectOfIncident(ctx, engine.IncidentID(id))
	project, err := located(ctx, name, err)
	if err != nil {
		return "", nil, err
	}
	e, err := r.Engines.For(ctx, project)
	return project, e, err
}

// everywhere refuses an identity of one project what belongs to all of them.
func everywhere(ctx context.Context) error {
	if identity.From(ctx).Project != "" {
		return web.New(http.StatusForbidden, "this needs an identity that is not limited to one project")
	}
	return nil
}
