// Package console is what a team looks at: pages rendered on the server, in
// which every form works without script, and which stay current with it. They
// call the engine and the store, never the HTTP API.
package console

import (
	"net/http"

	"github.com/sendpromptly/sendpromptly/adminserver/internal/access"
	"github.com/sendpromptly/sendpromptly/adminserver/internal/assets"
	"github.com/sendpromptly/sendpromptly/adminserver/internal/web"
)

// console is the room's handlers.
type console struct {
	web.Deps
	hub *hub
}

// Routes is the table of the console's pages.
func Routes(d web.Deps) []web.Route {
	c := &console{Deps: d}
	c.hub = newHub(c)
	routes := []web.Route{{Pattern: "GET " + assets.Prefix + "{name}", Handler: http.HandlerFunc(assets.ServeHTTP)}}
	for _, r := range c.table() {
		routes = append(routes, web.Route{Pattern: r.pattern, Role: r.role, Recent: r.recent, Handler: c.page(r.handle)})
	}
	return append(routes, web.Route{Pattern: "GET /events", Role: access.Viewer, Stream: true, Handler: http.HandlerFunc(c.events)})
}

// line is one line of the table: who may ask, and who answers.
type line struct {
	pattern string
	role    access.Role
	recent  bool
	handle  handle
}

func (c *console) table() []line {
	lines := []line{
		{"GET /{$}", access.Viewer, false, c.overview},
		{"GET /incidents", access.Viewer, false, c.incidents},
		{"GET /incidents/{id}", access.Viewer, false, c.incident},
		{"GET /effects", access.Viewer, false, c.effects},
		{"GET /effects/{id}", access.Viewer, false, c.effect},
		{"POST /views", access.Operator, false, c.saveView},
		{"POST /views/{id}/delete", access.Operator, false, c.deleteView},
		{"GET /plans", access.Viewer, false, c.plans},
		{"POST /plans", access.Operator, false, c.makePlan},
		{"GET /plans/{id}", access.Viewer, false, c.plan},
		{"POST /plans/{id}/start", access.Operator, false, c.startPlan},
		{"POST /plans/{id}/stop", access.Operator, false, c.stopPlan},
	}
	for _, a := range actions {
		lines = append(lines, line{"POST /incidents/{id}/" + a.form, access.Operator, false, c.act(a)})
	}
	return lines
}
