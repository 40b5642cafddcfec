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

// AuditLog is the log of operators' actions outside of timelines.
type AuditLog struct {
	db       *store.DB
	projects *Projects
}

// AuditEntry is one action of an operator outside of a timeline.
type AuditEntry struct {
	ID    string    `json:"id"`
	At    time.Time `json:"at"`
	Actor string    `json:"actor"`
	// Action is what the operator did: "operator.invite", "key.create", "project.set", …
	Action string `json:"action"`
	// Subject is what it was done to: an email, a label, a project's name.
	Subject string `json:"subject"`
	Detail  string `json:"detail,omitempty"`
	// Project is "" for actions on the whole deployment.
	Project string `json:"project,omitempty"`
}

// AuditFilter selects entries that match all its fields; a zero field matches all.
type AuditFilter struct {
	Project, Actor string
	// Action is a prefix: "operator." selects all actions on operators.
	Action string
	// Before is the Next of the page before this one.
	Before string
	// Limit is the page size: 50 by default, at most 500.
	Limit int
}

// AuditPage is one page of entries, newest first.
type AuditPage struct {
	Entries []AuditEntry `json:"entries"`
	// Next is the Before of the next page; it is empty on the last page.
	Next string `json:"next,omitempty"`
}

// List returns one page of the audit log, newest first.
func (l *AuditLog) List(ctx context.Context, f AuditFilter) (AuditPage, error) {
	params := dbsqlc.AuditListParams{Before: input.LastID, Page: 51}
	if f.Limit < 0 || f.Limit > 500 {
		return AuditPage{}, &engine.FieldError{Field: "limit", Reason: "must be between 1 and 500"}
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

// Add records an action; project 0 is the whole deployment.
func (l *AuditLog) Add(ctx context.Context, tx pgx.Tx, projectID int, by engine.Operator, action, subject, detail string) error {
	return l.db.Queries.AuditAdd(
		ctx,
		tx,
		dbsqlc.AuditAddParams{
			ProjectID: projectID, Actor: string(by), Action: action, Subject: subject,
			Detail: pg.Optional(detail),
		},
	)
}
