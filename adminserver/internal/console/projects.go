package console

import (
	"errors"
	"html/template"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/sendpromptly/sendpromptly/adminserver/internal/alerts"
	"github.com/sendpromptly/sendpromptly/adminserver/internal/identity"
	"github.com/sendpromptly/sendpromptly/adminserver/internal/web"
	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/store/access"
	"github.com/sendpromptly/sendpromptly/internal/store/projects"
)

// projectsPage lists the projects that the visitor may read.
type projectsPage struct {
	Projects []projects.Project
	// Typed is the content of a refused form.
	Typed struct{ Name, RepairURL string }
	// MayCreate says whether the visitor may add one.
	MayCreate bool
}

func (c *console) projects(v *visit) error {
	return v.showProjects(http.StatusOK, projectsPage{}, "")
}

func (v *visit) showProjects(status int, data projectsPage, problem string) error {
	all, err := v.Projects.List(v.ctx())
	if err != nil {
		return err
	}
	for _, p := range all {
		if v.who.Sees(p.Name) {
			data.Projects = append(data.Projects, p)
		}
	}
	data.MayCreate = v.mayDeployment()
	return v.render(status, "projects", page{Title: "Projects", Nav: "Projects", Problem: problem, Data: data})
}

// mayDeployment says whether the visitor may change what belongs to no project:
// an admin of a single one may not.
func (v *visit) mayDeployment() bool { return v.who.May(identity.Admin) && v.who.Project == "" }

// wholeDeployment hides the pages of the deployment from a visitor who is limited to one project.
func wholeDeployment(do handle) handle {
	return func(v *visit) error {
		if !v.mayDeployment() {
			return engine.ErrNotFound
		}
		return do(v)
	}
}

func (c *console) createProject(v *visit) error {
	name, url := strings.TrimSpace(v.r.PostFormValue("name")), strings.TrimSpace(v.r.PostFormValue("repair_url"))
	_, secret, err := v.Projects.Create(v.ctx(), name, projects.Settings{RepairURL: &url}, v.AllowNetworks, v.who.Actor())
	if problem, ok := fieldProblem(err); ok {
		data := projectsPage{}
		data.Typed.Name, data.Typed.RepairURL = name, url
		return v.showProjects(http.StatusUnprocessableEntity, data, problem)
	}
	if err != nil {
		return err
	}
	return v.showOnce(shownOnce{
		Title: "Project " + name, What: "This is the callback secret. The app’s repair endpoint verifies callbacks with it.",
		Secret: secret,
		Back:   v.link("/projects/" + name),
	})
}

// projectPage is one project with its keys.
type projectPage struct {
	projects.Project
	Keys []access.APIKey
	// Alive are the keys that are not revoked.
	Alive int
	Here  string
	// Tested are the results of the tests that were just sent to the alert destinations.
	Tested []alerts.Result
}

func (c *console) projectPage(v *visit) error { return v.showProject(http.StatusOK, "") }

func (v *visit) showProject(status int, problem string, tested ...alerts.Result) error {
	project, err := v.Projects.Get(v.ctx(), v.project)
	if err != nil {
		return err
	}
	data := projectPage{Project: project, Here: v.Base.String(), Tested: tested}
	if v.who.May(identity.Admin) {
		if data.Keys, err = v.Access.Keys.List(v.ctx(), v.project); err != nil {
			return err
		}
	}
	for _, k := range data.Keys {
		if k.RevokedAt.IsZero() {
			data.Alive++
		}
	}
	return v.render(status, "project", page{Title: "Project " + project.Name, Nav: "Projects", Problem: problem, Data: data})
}

// set changes settings and shows the project again.
func (v *visit) set(settings projects.Settings) error {
	_, err := v.Projects.Set(v.ctx(), v.project, settings, v.AllowNetworks, v.who.Actor())
	return v.afterwards(err, "project")
}

// afterwards redirects to the project after a form, or shows the error.
func (v *visit) afterwards(err error, done string) error {
	if problem, ok := fieldProblem(err); ok {
		return v.showProject(http.StatusUnprocessableEntity, problem)
	}
	if err != nil {
		return err
	}
	v.redirect("/projects/"+v.project, done, "")
	return nil
}

func (c *console) setProject(v *visit) error {
	form := v.r.PostForm
	text := func(name string) *string { s := strings.TrimSpace(form.Get(name)); return &s }
	tick := func(name string) *bool { on := form.Get(name) != ""; return &on }
	settings := projects.Settings{
		Mode: text("mode"), PublicName: text("public_name"), SupportContact: text("support_contact"),
		SignaturePrefix: tick("signature_prefix"), Snapshots: tick("snapshots"),
	}
	for name, to := range map[string]**time.Duration{
		"timeout": &settings.Timeout, "alert_after_failed": &settings.AlertAfterFailed,
		"alert_after_missing": &settings.AlertAfterMissing,
	} {
		minutes, err := strconv.ParseFloat(form.Get(name), 64)
		if err != nil || minutes < 0 || minutes > 1e6 {
			return v.showProject(
				http.StatusUnprocessableEntity,
				"Nothing was saved: "+strings.ReplaceAll(name, "_", " ")+" must be a number of minutes.",
			)
		}
		d := time.Duration(minutes * float64(time.Minute))
		*to = &d
	}
	days, err := strconv.ParseFloat(form.Get("retention_days"), 64)
	if err != nil || days < 0 || days > 36500 {
		return v.showProject(http.StatusUnprocessableEntity, "Nothing was saved: the days to keep effects must be a number.")
	}
	keep := time.Duration(days * 24 * float64(time.Hour))
	settings.Retention = &keep
	return v.set(settings)
}

func (c *console) setRepairURL(v *visit) error {
	url := strings.TrimSpace(v.r.PostFormValue("repair_url"))
	return v.set(projects.Settings{RepairURL: &url})
}

func (c *console) suspend(v *visit) error {
	suspended := v.r.PostFormValue("suspended") == "yes"
	return v.set(projects.Settings{Suspended: &suspended})
}

func (c *console) rotateSecret(v *visit) error {
	hours, err := strconv.Atoi(v.r.PostFormValue("overlap_hours"))
	if err != nil || hours < 0 || hours > 90*24 {
		return v.showProject(http.StatusUnprocessableEntity, "Nothing was changed: the overlap must be a number of hours.")
	}
	secret, err := v.Projects.RotateCallbackSecret(v.ctx(), v.project, time.Duration(hours)*time.Hour, v.who.Actor())
	if err != nil {
		return err
	}
	return v.showOnce(shownOnce{
		Title: "A new callback secret", Secret: secret, Back: v.link("/projects/" + v.project),
		What: "Callbacks are signed with it from now on. They are also signed with the older secrets for " +
			"" + strconv.Itoa(hours) + " more hours.",
	})
}

func (c *console) createKey(v *visit) error {
	key, secret, err := v.Access.Keys.Create(v.ctx(), v.project, strings.TrimSpace(v.r.PostFormValue("label")), v.who.Actor())
	if problem, ok := fieldProblem(err); ok {
		return v.showProject(http.StatusUnprocessableEntity, problem)
	}
	if err != nil {
		return err
	}
	return v.showOnce(shownOnce{
		Title: "API key " + key.Label, Secret: secret, Back: v.link("/projects/" + v.project),
		What: "An app of project " + v.project + " sends it as its bearer token when it reports receipts and results over HTTP.",
	})
}

func (c *console) revokeKey(v *visit) error {
	return v.afterwards(notFoundID(v.Access.Keys.Revoke(v.ctx(), v.project, v.r.PathValue("id"), v.who.Actor())), "key-revoked")
}

// shownOnce is a secret that is not shown again.
type shownOnce struct {
	Title, What, Secret, Back string
	// Picture is the same as a QR code, if that is useful.
	Picture template.HTML
}

// showOnce answers the form itself: for a redirect the secret would have to be stored.
func (v *visit) showOnce(s shownOnce) error {
	return v.render(http.StatusOK, "secret", page{Title: s.Title, Data: s})
}

// fieldProblem says which field of a form is wrong.
func fieldProblem(err error) (string, bool) {
	var field *engine.FieldError
	if !errors.As(err, &field) {
		return "", false
	}
	return "Nothing was saved: " + web.Describe(err).Detail + ".", true
}
