package api

import (
	"context"
	"net/http"

	"github.com/sendpromptly/sendpromptly/adminserver/internal/identity"
	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/store/projects"
)

// AuditPage is one page of the audit log, newest first.
type AuditPage struct {
	Entries    []projects.AuditEntry `json:"entries"`
	NextCursor string                `json:"next_cursor,omitempty" doc:"Absent on the last page."`
}

func addAuditLog(r *room) {
	line := operation{
		method: http.MethodGet, path: "/audit", id: "audit-list", tag: "People", role: identity.Admin,
		title: "List operator actions that are not on a timeline, newest first", errors: []int{http.StatusNotFound},
	}
	add(r, line, func(ctx context.Context, in *struct {
		Project string `query:"project" maxLength:"63" doc:"Default: all projects that the caller may read."`
		Actor   string `query:"actor" maxLength:"255"`
		Action  string `query:"action" maxLength:"64" doc:"The beginning of an action: operator. finds all actions on operators."`
		Cursor  string `query:"cursor" maxLength:"36" doc:"next_cursor of the previous page."`
		Limit   int    `query:"limit" minimum:"1" maximum:"500" default:"50"`
	},
	) (*reply[AuditPage], error) {
		who := identity.From(ctx)
		if in.Project == "" {
			in.Project = who.Project
		} else if !who.Sees(in.Project) {
			return nil, engine.ErrNotFound
		}
		page, err := r.Projects.Audit.List(
			ctx,
			projects.AuditFilter{Project: in.Project, Actor: in.Actor, Action: in.Action, Before: in.Cursor, Limit: in.Limit},
		)
		return &reply[AuditPage]{AuditPage{append([]projects.AuditEntry{}, page.Entries...), page.Next}}, err
	})
}
