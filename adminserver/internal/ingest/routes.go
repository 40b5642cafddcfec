package ingest

import (
	"math"

	"github.com/sendpromptly/sendpromptly/adminserver/internal/web"
)

// Routes are the two endpoints, and their aliases for older clients. The room limits bodies itself, because
// the limit depends on the project, which is known only after the key was checked.
func Routes(d web.Deps, limits Limits) []web.Route {
	a := newAPI(config{Access: d.Access, Incidents: d.Incidents, Engine: d.Engines.For, Logger: d.Logger, Limits: limits})
	receipt, result := a.endpoint("receipt", a.receipt), a.endpoint("result", a.result)
	routes := []web.Route{
		{Pattern: "POST /api/v1/receipt", Handler: receipt},
		{Pattern: "POST /v1/receipt", Handler: receipt},
		{Pattern: "POST /api/v1/result", Handler: result},
		{Pattern: "POST /v1/result", Handler: result},
	}
	for i := range routes {
		routes[i].Kind, routes[i].MaxBody = web.Wire, math.MaxInt64
	}
	return routes
}
