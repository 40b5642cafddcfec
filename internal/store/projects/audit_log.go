package projects

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/dbsqlc"
	"github.com/sendpromptly/sendpromptly/internal/input"
	"github.com/sendpromptly/sendpromptly/internal/pg"
	"github.com/sendpromptly/sendpromptly/internal/store"
)

// AuditLog is what operators did outside of timelines.
type AuditLog struct {
	db       *store.DB
	projects *Projects
}

// AuditEntry is something that an operator did outside of a timeline.
type AuditEntry struct {
	ID    string    `json:"id"`
	At    time.Time `json:"at"`
	Actor string    `json:"actor"`
	// Action is what: "operator.invite", "key.create", "project.set", …
	Action string `json:"action"`
	// Subject is to whom or what: an email, a label, a project's name.
	Subject string `json:"subject"`
	Detail  string `json:"detail,omitempty"`
	// Project is "" where it concerns the deployment as a whole.
	Project string `json:"project,omitempty"`
}

// AuditFilter selects entries; what is zero selects all.
type AuditFilter struct {
	Project, Actor string
	// Action is the beginning of an action: "operator." finds all of them.
	Action string
	// Before is where the page before this one ended.
	Before string
	// Limit is the size of the page: 50 by default, 500 at most.
	Limit int
}

// AuditPage is one page of entries, newest first.
type AuditPage struct {
	Entries []AuditEntry `json:"entries"`
	// Next is the Before of the next page, empty on the last.
	Next string `json:"next,omitempty"`
}

// List pages through the audit log, newest first.
func (l *AuditLog) List(ctx context.Context, f AuditFilter) (AuditPage, error) {
	params := dbsqlc.AuditListParams{Before: input.LastID, Page: 51}
	if f.Limit < 0 || f.Limit > 500 {
		return AuditPage{}, &engine.FieldError{Field: "limit", Reason: "must lie between 1 and 500"}
	}
	if f.Limit > 0 {
		params.Page = f.Limit + 1
	}
	if f.Before != "" {
		if input.UUID(f.Before) != "" {
			return AuditPage{}, &engine.FieldError{Field: "before", Reason: input.NotAnID}
		}
		params.Before = f.Before
	}
	for field, text := range map[string]string{"actor": f.Actor, "action": f.Action} {
		if text != "" {
			if err := store.Invalid(field, input.Label(text, input.NameLimit)); err != nil {
				return AuditPage{}, err
			}
		}
	}
	params.Actor, params.Action = pg.Optional(f.Actor), pg.Optional(f.Action)
	if f.Project != "" {
		projectID, err := l.projects.ID(ctx, f.Project)
		if err != nil {
			return AuditPage{}, err
		}
		params.ProjectID = &projectID
	}
	rows, err := l.db.Queries.AuditList(ctx, l.db.Pool, params)
	if err != nil {
		return AuditPage{}, err
	}
	page := AuditPage{Entries: []AuditEntry{}}
	if limit := params.Page - 1; len(rows) > limit {
		rows = rows[:limit]
		page.Next = rows[limit-1].AuditID
	}
	for _, row := range rows {
		page.Entries = append(page.Entries, AuditEntry{
			ID: row.AuditID, At: row.At, Actor: row.Actor, Action: row.Action,
			Subject: row.Subject, Detail: pg.Value(row.Detail), Project: row.Project,
		})
	}
	return page, nil
}

// Add enters what somebody did; project 0 is the deployment as a whole.
func (l *AuditLog) Add(ctx context.Context, tx pgx.Tx, projectID int, by engine.Operator, action, subject, detail string) error {
	return l.db.Queries.AuditAdd(
		ctx,
		tx,
		dbsqlc.AuditAddParams{ProjectID: projectID, Actor: string(by), Action: action, Subject: subject, Detail: pg.Optional(detail)},
	)
}
