package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/dbsqlc"
)

// SavedView is a filter that a team keeps by name.
type SavedView struct {
	ID        string
	Name      string
	Filter    engine.IncidentFilter
	CreatedBy engine.Operator
	CreatedAt time.Time
}

// SavedViews reads the saved views of a project by name.
func (s *Store) SavedViews(ctx context.Context, project string) ([]SavedView, error) {
	projectID, err := s.projectID(ctx, project)
	if err != nil {
		return nil, err
	}
	rows, err := s.queries.ViewList(ctx, s.pool, projectID)
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

// SaveView keeps a filter under a name of at most 100 bytes, in place of the one
// that has the name already. A project keeps at most 200.
func (s *Store) SaveView(ctx context.Context, project, name string, f engine.IncidentFilter, by engine.Operator) (SavedView, error) {
	if err := checkPresent("name", name, 100); err != nil {
		return SavedView{}, err
	}
	if err := checkPresent("by", string(by), 255); err != nil {
		return SavedView{}, err
	}
	filter, err := filterText(f)
	if err != nil {
		return SavedView{}, err
	}
	projectID, err := s.projectID(ctx, project)
	if err != nil {
		return SavedView{}, err
	}
	var row dbsqlc.SavedView
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		row, err = s.queries.ViewSave(ctx, tx, dbsqlc.ViewSaveParams{ProjectID: projectID, Name: name, Filter: filter, Operator: string(by)})
		if err != nil {
			return err
		}
		return s.audit(ctx, tx, projectID, by, "view.save", name, row.ViewID)
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return SavedView{}, &engine.FieldError{Field: "name", Reason: "is one too many: a project keeps 200 views"}
	}
	if err != nil {
		return SavedView{}, err
	}
	return newView(row)
}

// DeleteView removes a saved view, or returns [ErrNotFound].
func (s *Store) DeleteView(ctx context.Context, project, view string, by engine.Operator) error {
	if err := errors.Join(checkID("view", view), checkPresent("by", string(by), 255)); err != nil {
		return err
	}
	projectID, err := s.projectID(ctx, project)
	if err != nil {
		return err
	}
	return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		deleted, err := s.queries.ViewDelete(ctx, tx, dbsqlc.ViewDeleteParams{ProjectID: projectID, ViewID: view})
		if err == nil && deleted == 0 {
			err = fmt.Errorf("view %s: %w", view, ErrNotFound)
		}
		if err != nil {
			return err
		}
		return s.audit(ctx, tx, projectID, by, "view.delete", view, "")
	})
}

func newView(v dbsqlc.SavedView) (SavedView, error) {
	view := SavedView{ID: v.ViewID, Name: v.Name, CreatedBy: engine.Operator(v.CreatedBy), CreatedAt: v.CreatedAt}
	return view, json.Unmarshal([]byte(v.Filter), &view.Filter)
}
