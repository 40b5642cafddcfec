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
	Project string `query:"project" maxLength:"63" doc:"Name of the project. Default: the caller's only project, otherwise the project named default."`
}

// project is the name of the requested project, or [engine.ErrNotFound] if it does not exist for the caller.
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

// engineFor is the engine of the requested project, if that exists for the caller.
func (r *room) engineFor(ctx context.Context, name string) (string, *engine.Engine, error) {
	project, err := r.project(ctx, name)
	if err != nil {
		return "", nil, err
	}
	e, err := r.Engines.For(ctx, project)
	return project, e, err
}

// located is the project of an object in a path, if that exists for the caller. An invalid id does not exist
// either.
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

// everywhere refuses an identity that is limited to one project.
func everywhere(ctx context.Context) error {
	if identity.From(ctx).Project != "" {
		return web.New(http.StatusForbidden, "this requires an identity that is not limited to one project")
	}
	return nil
}
