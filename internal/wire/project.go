package wire

import (
	"github.com/sendpromptly/sendpromptly/internal/store/projects"
)

// Projects are those that exist for the caller, by name.
type Projects struct {
	Projects []projects.Project `json:"projects"`
}

// NewProject is a project with its moments in UTC.
func NewProject(p projects.Project) projects.Project {
	p.CreatedAt = p.CreatedAt.UTC()
	return p
}

// ProjectWithSecret is a project with its callback secret, which is shown once.
type ProjectWithSecret struct {
	Project        projects.Project `json:"project"`
	CallbackSecret string           `json:"callback_secret" doc:"Shown only once."`
}
