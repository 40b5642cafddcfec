package console

import (
	"bytes"
	"embed"
	"html/template"
	"net/http"
	"net/url"
	"strings"

	"github.com/sendpromptly/sendpromptly/adminserver/internal/assets"
	"github.com/sendpromptly/sendpromptly/adminserver/internal/identity"
	"github.com/sendpromptly/sendpromptly/adminserver/internal/web"
)

//go:embed templates/*.html
var sources embed.FS

// pages are the templates by name, each with the layout.
var pages = parse()

func parse() map[string]*template.Template {
	funcs := template.FuncMap{
		"when":      when,
		"short":     short,
		"ago":       ago,
		"money":     money,
		"spell":     spell,
		"took":      took,
		"thousands": thousands,
		"minutes":   minutes,
		"days":      days,
		"list":      list,
	}
	layout := template.Must(template.New("").Funcs(funcs).ParseFS(sources, "templates/layout.html", "templates/parts.html"))
	entries, err := sources.ReadDir("templates")
	if err != nil {
		panic(err) // it was embedded when this was compiled
	}
	parsed := map[string]*template.Template{}
	for _, entry := range entries {
		name := strings.TrimSuffix(entry.Name(), ".html")
		if name != "layout" && name != "parts" {
			parsed[name] = template.Must(template.Must(layout.Clone()).ParseFS(sources, "templates/"+entry.Name()))
		}
	}
	return parsed
}

// page is what the layout and a page's template render.
type page struct {
	v *visit
	// Title is the window's title, Nav is the current menu item.
	Title, Nav string
	// Notice says what was done, Problem what is wrong.
	Notice, Problem string
	// Live makes the page follow changes, Only limits them to one incident; Every makes it reload after so
	// many seconds.
	Live  bool
	Only  string
	Every int
	// All makes it follow all projects that the visitor may read.
	All  bool
	Data any
}

type menuItem struct{ Name, Path, Key string }

// Menu lists the pages that the visitor may open.
func (p page) Menu() []menuItem {
	items := []menuItem{
		{"Overview", "/", "g"},
		{"Incidents", "/incidents", "i"},
		{"Effects", "/effects", ""},
		{"Projects", "/projects", ""},
	}
	if p.v.who.May(identity.Admin) && p.v.who.Project == "" {
		items = append(items, menuItem{"Operators", "/operators", ""})
	}
	if p.v.who.May(identity.Admin) {
		items = append(items, menuItem{"Audit", "/audit", ""})
	}
	return items
}

// Who is the visitor.
func (p page) Who() identity.Identity { return p.v.who }

// MayAct says whether the visitor may act on incidents.
func (p page) MayAct() bool { return p.v.who.May(identity.Operator) }

// MayChange says whether the visitor may change projects, keys and operators.
func (p page) MayChange() bool { return p.v.who.May(identity.Admin) }

// Project is the project of the page, Projects are the choices.
func (p page) Project() string { return p.v.project }

// Projects are those that exist for the visitor.
func (p page) Projects() []string { return p.v.projects }

// Link is the address of a page in this project.
func (p page) Link(path string, more ...string) string { return p.v.link(path, more...) }

// Path is the address of a page without a project.
func (p page) Path(path string) string { return p.v.Base.Path(path) }

// Asset is the address of an asset file.
func (p page) Asset(name string) string { return p.v.Base.Path(assets.Path(name)) }

// Events is the stream of changes that the page follows.
func (p page) Events() string {
	if p.All {
		return p.Link("/events", "all", "yes")
	}
	return p.Link("/events")
}

// HasLogin says that people log in and out here.
func (p page) HasLogin() bool { return p.v.Deps.Login }

// Login is where the visitor logs in again and returns to this page; after a form, to the page of the form.
func (p page) Login() string {
	if p.v.r.Method != http.MethodGet {
		return p.v.Base.Path("/login")
	}
	return p.v.Base.Path("/login") + "?" + url.Values{"next": {p.v.Base.Path(p.v.r.URL.RequestURI())}}.Encode()
}

// Here is the page for switching projects: the section's list.
func (p page) Here() string {
	for _, item := range p.Menu() {
		if item.Name == p.Nav && item.Name != "Projects" {
			return p.Path(item.Path)
		}
	}
	return p.Path("/")
}

// render writes a page.
func (v *visit) render(status int, name string, p page) error {
	p.v = v
	if p.Notice == "" {
		p.Notice = notices[v.r.URL.Query().Get("done")]
	}
	var out bytes.Buffer
	if err := pages[name].ExecuteTemplate(&out, "layout", p); err != nil {
		return err
	}
	v.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	v.w.WriteHeader(status)
	_, _ = v.w.Write(out.Bytes()) // the browser may be gone
	return nil
}

// sayNo answers an error with a page.
func (v *visit) sayNo(err error) {
	problem := web.Describe(err)
	if problem.Status == http.StatusInternalServerError {
		v.Logger.ErrorContext(v.ctx(), "sendpromptly: a page could not be shown",
			"request_id", web.RequestID(v.ctx()), "path", v.r.URL.Path, "error", err)
	}
	v.problem(problem)
}

// problem shows an error page.
func (v *visit) problem(p *web.Problem) {
	detail := p.Detail
	if detail != "" && !strings.HasSuffix(detail, ".") {
		detail += "."
	}
	data := struct {
		Title, Detail string
		// Again says that logging in again may help, Ours that the server failed.
		Again, Ours bool
	}{
		p.Title, detail, p.Status == http.StatusUnauthorized || p.Status == http.StatusForbidden && !v.who.Recent,
		p.Status >= http.StatusInternalServerError,
	}
	if err := v.render(p.Status, "problem", page{Title: p.Title, Data: data}); err != nil {
		v.Logger.ErrorContext(v.ctx(), "sendpromptly: the page for a problem could not be shown",
			"request_id", web.RequestID(v.ctx()), "error", err)
		http.Error(v.w, p.Title, p.Status)
	}
}
