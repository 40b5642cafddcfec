package api

import (
	"context"
	"net/http"
	"time"

	"github.com/sendpromptly/sendpromptly/adminserver/internal/identity"
	"github.com/sendpromptly/sendpromptly/adminserver/internal/web"
	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/store/projects"
	"github.com/sendpromptly/sendpromptly/internal/wire"
)

// Settings are the settings to change. An absent setting stays; an empty text clears a setting that may be
// empty.
type Settings struct {
	Mode              *string  `json:"mode,omitempty" enum:"test,live," doc:"test, live, or empty for none."`
	TimeoutSeconds    *float64 `json:"timeout_seconds,omitempty" minimum:"1" maximum:"2592000"`
	RepairURL         *string  `json:"repair_url,omitempty" maxLength:"2048"`
	SignaturePrefix   *bool    `json:"signature_prefix,omitempty"`
	PublicName        *string  `json:"public_name,omitempty" maxLength:"255"`
	SupportContact    *string  `json:"support_contact,omitempty" maxLength:"255"`
	Snapshots         *bool    `json:"snapshots,omitempty"`
	Suspended         *bool    `json:"suspended,omitempty"`
	AlertAfterFailed  *float64 `json:"alert_after_failed_seconds,omitempty" minimum:"0" maximum:"604800"`
	AlertAfterMissing *float64 `json:"alert_after_missing_seconds,omitempty" minimum:"0" maximum:"604800"`
	AlertEmail        *string  `json:"alert_email,omitempty" maxLength:"5120" doc:"Email addresses for alerts, separated by commas; empty for none."`
	AlertSlack        *string  `json:"alert_slack,omitempty" maxLength:"2048" doc:"The URL of a Slack incoming webhook. Only its host is shown again."`
	AlertWebhook      *string  `json:"alert_webhook,omitempty" maxLength:"2048" doc:"The URL of your own webhook. The answer to the first change that sets it contains its signing secret."`
	Retention         *float64 `json:"retention_seconds,omitempty" minimum:"0" maximum:"3153600000" doc:"How long settled effects are kept: at least 35 days, or 0 for ever."`
}

func (s Settings) settings() projects.Settings {
	return projects.Settings{
		Mode:            s.Mode,
		Timeout:         duration(s.TimeoutSeconds),
		RepairURL:       s.RepairURL,
		SignaturePrefix: s.SignaturePrefix,
		PublicName:      s.PublicName,
		SupportContact:  s.SupportContact,
		Snapshots:       s.Snapshots,
		Suspended:       s.Suspended,
		AlertAfterFailed: duration(
			s.AlertAfterFailed,
		),
		AlertAfterMissing: duration(s.AlertAfterMissing),
		Retention:         duration(s.Retention),
		AlertEmail:        s.AlertEmail,
		AlertSlack:        s.AlertSlack,
		AlertWebhook:      s.AlertWebhook,
	}
}

func duration(seconds *float64) *time.Duration {
	if seconds == nil {
		return nil
	}
	d := time.Duration(*seconds * float64(time.Second))
	return &d
}

// NewProject is a project to create.
type NewProject struct {
	Name string `json:"name" minLength:"1" maxLength:"63" pattern:"^[a-z0-9][a-z0-9_-]*$"`
	Settings
}

// CallbackSecret is a new secret, which is shown once.
type CallbackSecret struct {
	CallbackSecret string `json:"callback_secret" doc:"Shown only once."`
}

// Rotation is how long the older secrets continue to sign.
type Rotation struct {
	OverlapSeconds float64 `json:"overlap_seconds" minimum:"0" maximum:"7776000"`
}

// ProjectPath is the project of a path.
type ProjectPath struct {
	Name string `path:"name" maxLength:"63" doc:"The project."`
}

// withBody are the errors of operations that take a body.
var withBody = []int{http.StatusNotFound, http.StatusUnsupportedMediaType, http.StatusRequestEntityTooLarge}

// inPath is the project of a path. Unlike in a query, there is no default.
func (r *room) inPath(ctx context.Context, p ProjectPath) (string, error) {
	if p.Name == "" {
		return "", engine.ErrNotFound
	}
	return r.project(ctx, p.Name)
}

func addProjects(r *room) {
	line := operation{
		method: http.MethodGet,
		path:   "/projects",
		id:     "projects-list",
		tag:    "Projects",
		role:   identity.Viewer,
		title:  "List projects",
	}
	add(r, line, func(ctx context.Context, _ *struct{}) (*reply[wire.Projects], error) {
		all, err := r.Projects.List(ctx)
		seen := []projects.Project{}
		for _, p := range all {
			if identity.From(ctx).Sees(p.Name) {
				seen = append(seen, wire.NewProject(p))
			}
		}
		return &reply[wire.Projects]{wire.Projects{Projects: seen}}, err
	})
	line.path, line.id, line.title, line.errors = "/projects/{name}", "projects-get", "Read a project", []int{http.StatusNotFound}
	add(r, line, func(ctx context.Context, in *ProjectPath) (*reply[projects.Project], error) {
		name, err := r.inPath(ctx, *in)
		if err != nil {
			return nil, err
		}
		p, err := r.Projects.Get(ctx, name)
		return &reply[projects.Project]{wire.NewProject(p)}, err
	})
	projectChanges(r)
}

func projectChanges(r *room) {
	line := operation{
		method: http.MethodPost, path: "/projects", id: "projects-create", tag: "Projects", role: identity.Admin, recent: true,
		status: http.StatusCreated, title: "Create a project", errors: withBody,
	}
	add(r, line, func(ctx context.Context, in *struct {
		Body NewProject
	},
	) (*reply[wire.ProjectWithSecret], error) {
		if err := everywhere(ctx); err != nil {
			return nil, err
		}
		p, secret, err := r.Projects.Create(ctx, in.Body.Name, in.Body.settings(), r.AllowNetworks, identity.From(ctx).Actor())
		return &reply[wire.ProjectWithSecret]{wire.ProjectWithSecret{Project: wire.NewProject(p), CallbackSecret: secret}}, err
	})
	line.method, line.path, line.id, line.title, line.status = http.MethodPatch, "/projects/{name}", "projects-set",
		"Change a project's settings", http.StatusOK
	add(r, line, func(ctx context.Context, in *struct {
		ProjectPath
		Body Settings
	},
	) (*reply[projects.Project], error) {
		name, err := r.inPath(ctx, in.ProjectPath)
		if err != nil {
			return nil, err
		}
		if in.Body == (Settings{}) {
			return nil, web.New(http.StatusUnprocessableEntity, "the body contains no setting to change")
		}
		p, err := r.Projects.Set(ctx, name, in.Body.settings(), r.AllowNetworks, identity.From(ctx).Actor())
		return &reply[projects.Project]{wire.NewProject(p)}, err
	})
	line.method, line.path, line.id = http.MethodPost, "/projects/{name}/rotate-callback-secret", "projects-rotate-callback-secret"
	line.title, line.text = "Create a new callback secret",
		"The new secret signs from now on. The older ones also sign until the overlap ends."
	add(r, line, func(ctx context.Context, in *struct {
		ProjectPath
		Body Rotation
	},
	) (*reply[CallbackSecret], error) {
		name, err := r.inPath(ctx, in.ProjectPath)
		if err != nil {
			return nil, err
		}
		secret, err := r.Projects.RotateCallbackSecret(ctx, name, *duration(&in.Body.OverlapSeconds), identity.From(ctx).Actor())
		return &reply[CallbackSecret]{CallbackSecret{secret}}, err
	})
}
