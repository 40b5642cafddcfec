// Package console is the team's web interface: pages rendered on the server. Every form works without script;
// with script, the pages stay current. They call the engine and the store, never the HTTP API.
package console

import (
	"context"
	"net/http"
	"slices"

	"github.com/sendpromptly/sendpromptly/adminserver/internal/alerts"
	"github.com/sendpromptly/sendpromptly/adminserver/internal/assets"
	"github.com/sendpromptly/sendpromptly/adminserver/internal/identity"
	"github.com/sendpromptly/sendpromptly/adminserver/internal/web"
)

// console is the room's handlers.
type console struct {
	web.Deps
	hub *hub
	// testAlerts sends a test to each alert destination of a project.
	testAlerts TestAlerts
}

// TestAlerts has the signature of [alerts.Sender.Test].
type TestAlerts func(ctx context.Context, project string) ([]alerts.Result, error)

// Routes is the table of the console's pages.
func Routes(d web.Deps, test TestAlerts) []web.Route {
	c := &console{Deps: d, testAlerts: test}
	c.hub = newHub(c)
	routes := []web.Route{{Pattern: "GET " + assets.Prefix + "{name}", Handler: http.HandlerFunc(assets.ServeHTTP)}}
	for _, r := range c.table() {
		routes = append(routes, web.Route{Pattern: r.pattern, Role: r.role, Recent: r.recent, Handler: c.page(r.handle)})
	}
	return append(
		routes,
		web.Route{Pattern: "GET /events", Role: identity.Viewer, Stream: true, Handler: http.HandlerFunc(c.events)},
	)
}

// Problems shows a page of the console for an error that happened before the requested page was reached.
func Problems(d web.Deps) web.Answerer {
	c := &console{Deps: d}
	return func(w http.ResponseWriter, r *http.Request, p *web.Problem) {
		v := &visit{console: c, w: w, r: r, who: identity.From(r.Context())}
		v.problem(p)
	}
}

// line is one line of the table: a route, its role and its handler.
type line struct {
	pattern string
	role    identity.Role
	recent  bool
	handle  handle
}

func (c *console) table() []line {
	lines := slices.Concat(c.reading(), c.acting(), c.changing())
	for _, a := range forms {
		lines = append(lines, line{"POST /incidents/{id}/" + a.name, identity.Operator, false, c.act(a)})
	}
	return lines
}

// reading are the pages.
func (c *console) reading() []line {
	return []line{
		{"GET /{$}", identity.Viewer, false, c.overview},
		{"GET /incidents", identity.Viewer, false, c.incidents},
		{"GET /incidents/{id}", identity.Viewer, false, c.incident},
		{"GET /effects", identity.Viewer, false, c.effects},
		{"GET /effects/{id}", identity.Viewer, false, c.effect},
		{"GET /plans", identity.Viewer, false, c.plans},
		{"GET /plans/{id}", identity.Viewer, false, c.plan},
		{"GET /projects", identity.Viewer, false, c.projects},
		{"GET /projects/{name}", identity.Viewer, false, c.projectPage},
		{"GET /operators", identity.Admin, false, wholeDeployment(c.operators)},
		{"GET /audit", identity.Admin, false, c.audit},
	}
}

// acting are the forms of operators, except those of an incident's page.
func (c *console) acting() []line {
	return []line{
		{"POST /incidents/{id}/proof", identity.Operator, false, c.share},
		{"POST /incidents/{id}/proofs/{jti}/revoke", identity.Operator, false, c.revokeProof},
		{"POST /views", identity.Operator, false, c.saveView},
		{"POST /views/{id}/delete", identity.Operator, false, c.deleteView},
		{"POST /plans", identity.Operator, false, c.makePlan},
		{"POST /plans/{id}/start", identity.Operator, false, c.startPlan},
		{"POST /plans/{id}/stop", identity.Operator, false, c.stopPlan},
	}
}

// changing are the forms of admins.
func (c *console) changing() []line {
	return []line{
		{"POST /projects", identity.Admin, true, wholeDeployment(c.createProject)},
		{"POST /projects/{name}/settings", identity.Admin, false, c.setProject},
		{"POST /projects/{name}/suspend", identity.Admin, false, c.suspend},
		{"POST /projects/{name}/alerts", identity.Admin, true, c.setAlerts},
		{"POST /projects/{name}/alerts/test", identity.Admin, true, c.sendTests},
		{"POST /projects/{name}/repair-url", identity.Admin, true, c.setRepairURL},
		{"POST /projects/{name}/secret", identity.Admin, true, c.rotateSecret},
		{"POST /projects/{name}/keys", identity.Admin, true, c.createKey},
		{"POST /projects/{name}/keys/{id}/revoke", identity.Admin, true, c.revokeKey},
		{"POST /operators", identity.Admin, true, wholeDeployment(c.invite)},
		{"POST /operators/link", identity.Admin, true, wholeDeployment(c.loginLink)},
		{"POST /operators/role", identity.Admin, true, wholeDeployment(c.setOperator)},
		{"POST /operators/remove", identity.Admin, true, wholeDeployment(c.removeOperator)},
		{"POST /tokens", identity.Admin, true, wholeDeployment(c.createToken)},
		{"POST /tokens/{id}/revoke", identity.Admin, true, wholeDeployment(c.revokeToken)},
	}
}
