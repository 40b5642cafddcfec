package api

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sendpromptly/sendpromptly/adminserver/internal/web"
	"github.com/sendpromptly/sendpromptly/internal/input"
)

// maxDepth is how deep a body may nest; no operation needs more than three levels.
const maxDepth = 16

// strict refuses what huma would accept: a body that is not declared as JSON; members that are unknown,
// repeated or spelled in another case; parameters that are repeated or badly escaped; and a body where none
// is allowed. It also converts our ids in a path to lower case.
type strict struct {
	registry huma.Registry
	op       *huma.Operation
	next     http.Handler
}

// ServeHTTP implements [http.Handler].
func (s *strict) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := s.check(r); err != nil {
		web.WriteProblem(w, r, web.Describe(err))
		return
	}
	s.next.ServeHTTP(w, r)
}

func (s *strict) check(r *http.Request) error {
	if err := s.checkQuery(r); err != nil {
		return err
	}
	for _, p := range s.op.Parameters {
		if id := input.CanonicalUUID(r.PathValue(p.Name)); p.In == "path" && id != "" {
			r.SetPathValue(p.Name, id)
		}
	}
	for _, name := range []string{"If-Match", "Idempotency-Key", "Last-Event-Id", "Content-Type"} {
		values := r.Header.Values(name)
		if len(values) > 1 {
			return web.New(http.StatusUnprocessableEntity, name+" is sent twice")
		}
		if len(values) == 1 && strings.ContainsFunc(values[0], func(c rune) bool { return c < ' ' || c > '~' }) {
			return web.New(http.StatusUnprocessableEntity, name+" must contain ASCII characters only")
		}
	}
	// A caller that sends a key relies on it, but an answer that may contain a secret cannot be stored.
	if r.Method != http.MethodGet && r.Header.Get("Idempotency-Key") != "" && !s.takes("header", "Idempotency-Key") {
		return web.New(http.StatusUnprocessableEntity, "this operation accepts no Idempotency-Key")
	}
	if s.op.RequestBody == nil {
		if n, _ := io.ReadFull(r.Body, make([]byte, 1)); n > 0 {
			return web.New(http.StatusUnprocessableEntity, "this operation accepts no body")
		}
		return nil
	}
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if charset := params["charset"]; err != nil || kind != "application/json" ||
		charset != "" && charset != "utf-8" && charset != "UTF-8" {
		return web.New(http.StatusUnsupportedMediaType, "send Content-Type: application/json")
	}
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return web.New(http.StatusUnsupportedMediaType, "send the body without a content encoding")
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return bodyError(err)
	}
	if err := checkJSON(body, s.registry, s.op.RequestBody.Content["application/json"].Schema); err != nil {
		return err
	}
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return nil
}

// checkQuery reads the query. An empty parameter counts as absent; huma handles that.
func (s *strict) checkQuery(r *http.Request) error {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return web.New(http.StatusUnprocessableEntity, "the query is not correctly percent-encoded")
	}
	for name, values := range query {
		if !s.takes("query", name) {
			return web.New(http.StatusUnprocessableEntity, "the query has an unknown parameter")
		}
		if len(values) > 1 {
			return web.New(http.StatusUnprocessableEntity, "a query parameter is sent twice")
		}
		if reason := input.Text(values[0], len(values[0])); reason != "" {
			return web.New(http.StatusUnprocessableEntity, "the query "+reason)
		}
	}
	return nil
}

// takes says whether the operation has a parameter of this name.
func (s *strict) takes(in, name string) bool {
	return slices.ContainsFunc(s.op.Parameters, func(p *huma.Param) bool { return p.In == in && p.Name == name })
}

// bodyError says why a body could not be read.
func bodyError(err error) error {
	var tooBig *http.MaxBytesError
	if errors.As(err, &tooBig) {
		return err
	}
	return web.New(http.StatusBadRequest, "the body could not be read")
}

// checkJSON checks a body against its schema: every member must be known, spelled exactly, and present once.
func checkJSON(body []byte, registry huma.Registry, schema *huma.Schema) error {
	rules := input.Body{Depth: maxDepth, Known: func(path []string) bool { return member(registry, schema, path) }}
	at, reason := rules.Check(body)
	switch {
	case reason == "":
		return nil
	case at == "":
		at = "body"
	default:
		at = "body." + at
	}
	return &web.Problem{Status: http.StatusUnprocessableEntity, Title: "Not valid", Detail: input.Clip(at, maxText) + " " + reason}
}

// member says whether a schema has a member at a path.
func member(registry huma.Registry, schema *huma.Schema, path []string) bool {
	for _, name := range path {
		if schema != nil && schema.Ref != "" {
			schema = registry.SchemaFromRef(schema.Ref)
		}
		switch {
		case schema == nil:
			return false
		case name == input.Element:
			schema = schema.Items
		default:
			schema = schema.Properties[name]
		}
	}
	return schema != nil
}
