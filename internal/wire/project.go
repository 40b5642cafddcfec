package wire

import "github.com/sendpromptly/sendpromptly/internal/store"

// Projects are those that exist for the caller, by name.
type Projects struct {
	Projects []store.Project `json:"projects"`
}

// NewProject is a project with its moments in UTC.
func NewProject(p store.Project) store.Project {
	p.CreatedAt = p.CreatedAt.UTC()
	return p
}

// ProjectWithSecret is a project with its callback secret, which is shown once.
type ProjectWithSecret struct {
	Project        store.Project `json:"project"`
	CallbackSecret string        `json:"callback_secret" doc:"Shown this once."`
}
