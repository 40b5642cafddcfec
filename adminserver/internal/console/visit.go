package console

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"

	"github.com/sendpromptly/sendpromptly/adminserver/internal/identity"
	"github.com/sendpromptly/sendpromptly/adminserver/internal/web"
	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/store/incidents"
)

// visit is one request for a page: the caller and the project.
type visit struct {
	*console
	w   http.ResponseWriter
	r   *http.Request
	who identity.Identity
	// projects are those that exist for the caller; project is the chosen one, engine its engine.
	projects []string
	project  string
	engine   *engine.Engine
	// configured is the first project with a repair URL.
	configured string
}

// handle answers a visit. An error is shown as a page.
type handle func(v *visit) error

// page makes a handler of a function.
func (c *console) page(do handle) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v := &visit{console: c, w: w, r: r, who: identity.From(r.Context())}
		err := v.enter()
		if err == nil {
			err = do(v)
		}
		if err != nil {
			v.sayNo(err)
		}
	})
}

func (v *visit) ctx() context.Context { return v.r.Context() }

// enter finds the project of the request. A project that does not exist for the visitor is not found.
func (v *visit) enter() error {
	if v.r.Method == http.MethodPost {
		if err := v.r.ParseForm(); err != nil {
			return web.New(http.StatusBadRequest, "the form could not be read")
		}
	}
	all, err := v.Projects.List(v.ctx())
	if err != nil {
		return err
	}
	for _, p := range all {
		if v.who.Sees(p.Name) {
			v.projects = append(v.projects, p.Name)
			if v.configured == "" && p.RepairURL != "" {
				v.configured = p.Name
			}
		}
	}
	if v.project = v.r.PathValue("name"); v.project == "" {
		v.project = v.r.FormValue("project")
	}
	if v.project == "" {
		v.project, err = v.usualProject()
	} else if !slices.Contains(v.projects, v.project) {
		v.project, err = "", engine.ErrNotFound // the error page must not link to it
	}
	if err != nil {
		return err
	}
	v.engine, err = v.Engines.For(v.ctx(), v.project)
	return err
}

// usualProject is the default project of a visitor: one with an open incident, otherwise one with a receipt,
// otherwise one with a repair URL.
func (v *visit) usualProject() (string, error) {
	switch len(v.projects) {
	case 0:
		return "", engine.ErrNotFound
	case 1:
		return v.projects[0], nil
	}
	used := ""
	for _, name := range v.projects[:min(len(v.projects), projectsAsked)] {
		e, err := v.Engines.For(v.ctx(), name)
		if err != nil {
			return "", err
		}
		open, err := e.Incidents(v.ctx(), engine.IncidentFilter{Open: true, Limit: 1})
		if err != nil {
			return "", err
		}
		if len(open.Incidents) > 0 {
			return name, nil
		}
		accepted, err := v.Incidents.Effects.List(v.ctx(), incidents.EffectFilter{Project: name, Limit: 1})
		if err != nil {
			return "", err
		}
		if used == "" && len(accepted.Effects) > 0 {
			used = name
		}
	}
	switch {
	case used != "":
		return used, nil
	case v.configured != "":
		return v.configured, nil
	case slices.Contains(v.projects, "default"):
		return "default", nil
	}
	return v.projects[0], nil
}

// projectsAsked limits how many projects one page reads.
const projectsAsked = 20

// locate finds an incident by its id alone, as links in alerts have it, and enters its project. An incident
// of a project that the visitor may not read, or of another project than the request names, is not found.
func (v *visit) locate(id engine.IncidentID) (engine.Incident, error) {
	name, err := v.Incidents.ProjectOfIncident(v.ctx(), id)
	var field *engine.FieldError
	if errors.As(err, &field) || err == nil && (!v.who.Sees(name) || v.r.FormValue("project") != "" && name != v.project) {
		err = engine.ErrNotFound
	}
	if err != nil {
		return engine.Incident{}, err
	}
	v.project = name
	if v.engine, err = v.Engines.For(v.ctx(), name); err != nil {
		return engine.Incident{}, err
	}
	return v.engine.Incident(v.ctx(), id)
}

// notFoundID turns the error about an invalid id in a path into "not found": such a page does not exist.
func notFoundID(err error) error {
	var field *engine.FieldError
	if errors.As(err, &field) {
		return engine.ErrNotFound
	}
	return err
}

// redirect sends the browser to another page after an action, so that reloading does not repeat it. done is a
// key of notices, more goes into the query.
func (v *visit) redirect(path, done, fragment string, more ...string) {
	to := v.link(path, append(more, "done", done)...)
	if fragment != "" {
		to += "#" + fragment
	}
	http.Redirect(v.w, v.r, to, http.StatusSeeOther)
}

// link is the address of a page in the visit's project. more are names and
// values of its query; empty values are left out.
func (v *visit) link(path string, more ...string) string {
	query := url.Values{}
	if len(v.projects) > 1 && v.project != "" {
		query.Set("project", v.project)
	}
	for i := 0; i+1 < len(more); i += 2 {
		if more[i+1] != "" {
			query.Set(more[i], more[i+1])
		}
	}
	to := v.Base.Path(path)
	if len(query) > 0 {
		to += "?" + query.Encode()
	}
	return to
}
