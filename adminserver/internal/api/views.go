package api

import (
	"context"
	"net/http"
	"time"

	"github.com/sendpromptly/sendpromptly/adminserver/internal/identity"
	"github.com/sendpromptly/sendpromptly/internal/store/incidents"
	"github.com/sendpromptly/sendpromptly/internal/wire"
)

// SavedView is a filter that a team saved by name.
type SavedView struct {
	ID        string    `json:"id" format:"uuid"`
	Name      string    `json:"name"`
	Filter    Filter    `json:"filter"`
	CreatedBy string    `json:"created_by"`
	CreatedAt time.Time `json:"created_at"`
}

func newView(v incidents.SavedView) SavedView {
	return SavedView{v.ID, v.Name, newFilter(v.Filter), string(v.CreatedBy), v.CreatedAt.UTC()}
}

// SavedViews are all views of a project by name.
type SavedViews struct {
	Views []SavedView `json:"views"`
}

// ViewRequest saves a filter.
type ViewRequest struct {
	Name   string `json:"name" minLength:"1" maxLength:"100" doc:"An existing view of this name is replaced."`
	Filter Filter `json:"filter"`
}

func addViews(r *room) {
	line := operation{
		method: http.MethodGet, path: "/views", id: "views-list", tag: "Saved views", role: identity.Viewer, title: "List saved views",
		errors: []int{http.StatusNotFound},
	}
	add(r, line, func(ctx context.Context, in *InProject) (*reply[SavedViews], error) {
		project, err := r.project(ctx, in.Project)
		if err != nil {
			return nil, err
		}
		all, err := r.Incidents.Views.List(ctx, project)
		return &reply[SavedViews]{SavedViews{wire.List(all, newView)}}, err
	})
	line = operation{
		method: http.MethodPost,
		path:   "/views",
		id:     "views-save",
		tag:    "Saved views",
		role:   identity.Operator,
		title:  "Save a filter by name",
		errors: []int{http.StatusNotFound, http.StatusUnsupportedMediaType, http.StatusRequestEntityTooLarge},
	}
	add(r, line, func(ctx context.Context, in *struct {
		InProject
		Body ViewRequest
	},
	) (*reply[SavedView], error) {
		project, err := r.project(ctx, in.Project)
		if err != nil {
			return nil, err
		}
		f, err := in.Body.Filter.filter()
		if err != nil {
			return nil, err
		}
		v, err := r.Incidents.Views.Save(ctx, project, in.Body.Name, f, identity.From(ctx).Actor())
		return &reply[SavedView]{newView(v)}, err
	})
	line = operation{
		method: http.MethodDelete,
		path:   "/views/{id}",
		id:     "views-delete",
		tag:    "Saved views",
		role:   identity.Operator,
		title:  "Delete a saved view",
		status: http.StatusNoContent,
		errors: []int{http.StatusNotFound},
	}
	add(r, line, func(ctx context.Context, in *struct {
		ID string `path:"id" maxLength:"36"`
	},
	) (*struct{}, error) {
		name, err := r.Incidents.ProjectOfView(ctx, in.ID)
		project, err := located(ctx, name, err)
		if err != nil {
			return nil, err
		}
		return nil, r.Incidents.Views.Delete(ctx, project, in.ID, identity.From(ctx).Actor())
	})
}
