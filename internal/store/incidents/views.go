package incidents

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/dbsqlc"
	"github.com/sendpromptly/sendpromptly/internal/input"
	"github.com/sendpromptly/sendpromptly/internal/store"
	"github.com/sendpromptly/sendpromptly/internal/store/projects"
)

// Views are the saved views of all projects.
type Views struct {
	db       *store.DB
	projects *projects.Projects
}

// SavedView is a filter with a name.
type SavedView struct {
	ID        string
	Name      string
	Filter    engine.IncidentFilter
	CreatedBy engine.Operator
	CreatedAt time.Time
}

// List returns the saved views of a project, sorted by name.
func (v *Views) List(ctx context.Context, project string) ([]SavedView, error) {
	projectID, err := v.projects.ID(ctx, project)
	if err != nil {
		return nil, err
	}
	rows, err := v.db.Queries.ViewList(ctx, v.db.Pool, projectID)
	if err != nil {
		return nil, err
	}
	views := make([]SavedView, len(rows))
	for i, row := range rows {
		if views[i], err = newView(row); err != nil {
			return nil, err
		}
	}
	return views, nil
}

// viewName is the longest name of a view, in characters.
const viewName = 100

// Save stores a filter under a name of at most 100 characters and replaces an existing one. A
// project has at most 200.
func (v *Views) Save(ctx context.Context, project, name string, f engine.IncidentFilter, by engine.Operator) (SavedView, error) {
	if err := store.Invalid("name", input.Present(name, viewName)); err != nil {
		return SavedView{}, err
	}
	if err := store.Invalid("by", input.Present(string(by), input.NameLimit)); err != nil {
		return SavedView{}, err
	}
	filter, err := filterText(f)
	if err != nil {
		return SavedView{}, err
	}
	projectID, err := v.projects.ID(ctx, project)
	if err != nil {
		return SavedView{}, err
	}
	var row dbsqlc.SavedView
	err = v.db.InTx(ctx, func(tx pgx.Tx) error {
		row, err = v.db.Queries.ViewSave(
			ctx,
			tx,
			dbsqlc.ViewSaveParams{ProjectID: projectID, Name: name, Filter: filter, Operator: string(by)},
		)
		if err != nil {
			return err
		}
		return v.projects.Audit.Add(ctx, tx, projectID, by, "view.save", name, row.ViewID)
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return SavedView{}, &engine.FieldError{
			Field:  "name",
			Reason: "is one too many: a project has at most 200 views; delete one first",
		}
	}
	if err != nil {
		return SavedView{}, err
	}
	return newView(row)
}

// Delete removes a saved view, or returns [engine.ErrNotFound].
func (v *Views) Delete(ctx context.Context, project, view string, by engine.Operator) error {
	if err := errors.Join(
		store.Invalid("view", input.UUID(view)),
		store.Invalid("by", input.Present(string(by), input.NameLimit)),
	); err != nil {
		return err
	}
	projectID, err := v.projects.ID(ctx, project)
	if err != nil {
		return err
	}
	return v.db.InTx(ctx, func(tx pgx.Tx) error {
		deleted, err := v.db.Queries.ViewDelete(ctx, tx, dbsqlc.ViewDeleteParams{ProjectID: projectID, ViewID: view})
		if err == nil && deleted == 0 {
			err = store.NotFound("view %s", view)
		}
		if err != nil {
			return err
		}
		return v.projects.Audit.Add(ctx, tx, projectID, by, "view.delete", view, "")
	})
}

func newView(v dbsqlc.SavedView) (SavedView, error) {
	view := SavedView{ID: v.ViewID, Name: v.Name, CreatedBy: engine.Operator(v.CreatedBy), CreatedAt: v.CreatedAt}
	return view, json.Unmarshal([]byte(v.Filter), &view.Filter)
}
