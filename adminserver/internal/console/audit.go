package console

import (
	"net/http"
	"strings"

	"github.com/sendpromptly/sendpromptly/internal/store/projects"
)

// auditPage lists operator actions that are not on a timeline.
type auditPage struct {
	Entries       []projects.AuditEntry
	Actor, Action string
	Older         string
}

// audit shows the whole deployment to a caller who may read all projects.
func (c *console) audit(v *visit) error {
	q := v.r.URL.Query()
	data := auditPage{Actor: strings.TrimSpace(q.Get("actor")), Action: strings.TrimSpace(q.Get("action"))}
	found, err := v.Projects.Audit.List(
		v.ctx(),
		projects.AuditFilter{Project: v.who.Project, Actor: data.Actor, Action: data.Action, Before: q.Get("before")},
	)
	if err != nil {
		return err
	}
	data.Entries = found.Entries
	if found.Next != "" {
		data.Older = v.link("/audit", "actor", data.Actor, "action", data.Action, "before", found.Next)
	}
	return v.render(http.StatusOK, "audit", page{Title: "Audit", Nav: "Audit", Data: data})
}
