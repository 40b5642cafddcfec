// Package api is the admin API: the console's actions for programs. huma describes it (OpenAPI 3.1) and
// validates requests. The code around huma catches what huma would accept, and what its errors would reveal.
package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/sendpromptly/sendpromptly/adminserver/internal/identity"
	"github.com/sendpromptly/sendpromptly/adminserver/internal/web"
)

// Prefix is the API's path below the base.
const Prefix = "/api/admin/v1"

// room is the API's operations and their dependencies.
type room struct {
	web.Deps
	api     huma.API
	routes  []web.Route
	streams chan struct{} // one slot per stream
}

// Routes is the table of the API's operations, with the spec and its reference page.
func Routes(d web.Deps) []web.Route {
	r := newRoom(d)
	spec := specOf(r)
	return append(r.routes,
		web.Route{Pattern: "GET " + Prefix + "/openapi.json", Kind: web.API, Handler: serveBytes("application/json", spec)},
		web.Route{Pattern: "GET " + Prefix + "/reference", Handler: serveBytes("text/html; charset=utf-8", reference(r, d.Base))})
}

// Spec is the API's description in OpenAPI 3.1, as JSON.
func Spec() []byte { return specOf(newRoom(web.Deps{})) }

func newRoom(d web.Deps) *room {
	r := &room{Deps: d, streams: make(chan struct{}, maxStreams)}
	format := huma.Format{Marshal: marshal, Unmarshal: unmarshal}
	config := huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title:   "SendPromptly admin API",
				Version: "1",
				Description: "Manage the incidents, effects, plans, projects and operators of a deployment. " +
					"Every error is problem+json of at most 4 KiB and never repeats a value from the request.",
			},
			Servers: []*huma.Server{{URL: d.Base.Path(Prefix)}},
			Components: &huma.Components{
				Schemas: huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer),
				SecuritySchemes: map[string]*huma.SecurityScheme{
					"token": {
						Type:        "http",
						Scheme:      "bearer",
						Description: "An API token, created by spadmin token create. A console session also works, from the console's own site.",
					},
				},
			},
		},
		Formats: map[string]huma.Format{
			"application/json": format,
			"json":             format,
		}, // the second is for problem+json
		DefaultFormat:                "application/json",
		RejectUnknownQueryParameters: true,
		Transformers:                 []huma.Transformer{humble},
	}
	r.api = huma.NewAPI(config, r)
	for _, register := range []func(*room){
		addIncidents, addActions, addEffects, addPlans, addViews, addProjects, addKeys, addPeople, addTokens, addAuditLog,
		addStatistics, addProofs, addEvents,
	} {
		register(r)
	}
	tidy(r.api.OpenAPI())
	return r
}

// operation is one line of the API.
type operation struct {
	method, path string
	id           string
	// title is a few words, text is the rest of the description.
	title, text string
	tag         string
	role        identity.Role
	recent      bool
	stream      bool
	// status of a success; default 200.
	status int
	// errors are its error statuses besides those that every operation has.
	errors []int
}

// add registers an operation.
func add[I, O any](r *room, op operation, do func(ctx context.Context, in *I) (*O, error)) {
	huma.Register(r.api, r.describe(op), func(ctx context.Context, in *I) (*O, error) {
		out, err := do(ctx, in)
		if err != nil {
			return nil, r.say(ctx, err)
		}
		return out, nil
	})
}

// describe converts an operation for huma. The role is in the spec for tests and readers.
func (r *room) describe(op operation) huma.Operation {
	text := op.text
	if op.recent {
		text += " Requires a login within the last 15 minutes, or a token."
	}
	return huma.Operation{
		OperationID: op.id, Method: op.method, Path: op.path, Summary: op.title, Description: text, Tags: []string{op.tag},
		DefaultStatus: op.status, MaxBodyBytes: maxBody, Responses: problems(r.api.OpenAPI().Components.Schemas, op),
		Security:   []map[string][]string{{"token": {}}},
		Extensions: map[string]any{"x-role": op.role.String(), "x-recent-login": op.recent},
		Metadata:   map[string]any{"line": op},
	}
}

// Handle implements [huma.Adapter]: an operation becomes a line of the server's
// table of routes, which guards it.
func (r *room) Handle(op *huma.Operation, handler func(huma.Context)) {
	line, _ := op.Metadata["line"].(operation)
	strict := &strict{
		registry: r.api.OpenAPI().Components.Schemas,
		op:       op,
		next: http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
			handler(humago.NewContext(op, q, w))
		}),
	}
	r.routes = append(r.routes, web.Route{
		Pattern: op.Method + " " + Prefix + op.Path, Kind: web.API, Role: line.role, Recent: line.recent,
		Stream: line.stream, MaxBody: maxBody, Handler: strict,
	})
}

// ServeHTTP implements [huma.Adapter]; the table of routes serves instead.
func (r *room) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	web.WriteProblem(w, q, web.New(http.StatusNotFound, ""))
}

// serveBytes answers with what was made once.
func serveBytes(kind string, body []byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		_, _ = w.Write(body)
	})
}
