package api

import (
	"bytes"
	_ "embed" // the page's template
	"fmt"
	"html/template"
	"maps"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sendpromptly/sendpromptly/adminserver/internal/assets"
	"github.com/sendpromptly/sendpromptly/adminserver/internal/web"
)

//go:embed reference.html
var referencePage string

var referenceTemplate = template.Must(template.New("reference").Parse(referencePage))

// reference renders the spec for people: a page without script.
func reference(r *room, base web.Base) []byte {
	spec := r.api.OpenAPI()
	page := struct {
		Title, Text, Style, Home, Root, Spec string
		Groups                               []group
		Shapes                               []shape
	}{
		spec.Info.Title, spec.Info.Description, base.Path(assets.Path("console.css")), base.Path("/"), base.Path(Prefix),
		base.Path(Prefix + "/openapi.json"), groups(r), shapes(spec),
	}
	var out bytes.Buffer
	if err := referenceTemplate.Execute(&out, page); err != nil {
		panic(err) // the page is made from types only: a test would have caught it
	}
	return out.Bytes()
}

// group are the operations of one tag.
type group struct {
	Name  string
	Calls []call
}

// Anchor is the group's place on the page.
func (g group) Anchor() string { return strings.ToLower(strings.ReplaceAll(g.Name, " ", "-")) }

type call struct {
	*huma.Operation
	Role    string
	Recent  bool
	Body    string
	Answers []answer
}

type answer struct{ Status, Text, Shape string }

func groups(r *room) []group {
	var made []group
	for _, route := range r.routes {
		op := operationOf(r.api.OpenAPI(), route.Pattern)
		line, _ := op.Metadata["line"].(operation)
		c := call{Operation: op, Role: line.role.String(), Recent: line.recent}
		if op.RequestBody != nil {
			c.Body = shapeOf(op.RequestBody.Content)
		}
		for _, status := range slices.Sorted(maps.Keys(op.Responses)) {
			c.Answers = append(c.Answers, answer{status, op.Responses[status].Description, shapeOf(op.Responses[status].Content)})
		}
		if i := slices.IndexFunc(made, func(g group) bool { return g.Name == line.tag }); i >= 0 {
			made[i].Calls = append(made[i].Calls, c)
		} else {
			made = append(made, group{line.tag, []call{c}})
		}
	}
	return made
}

// operationOf finds an operation by the pattern of its route.
func operationOf(spec *huma.OpenAPI, pattern string) *huma.Operation {
	method, path, _ := strings.Cut(pattern, " ")
	item := spec.Paths[strings.TrimPrefix(path, Prefix)]
	return map[string]*huma.Operation{"GET": item.Get, "POST": item.Post, "PATCH": item.Patch, "DELETE": item.Delete}[method]
}

func shapeOf(content map[string]*huma.MediaType) string {
	for _, media := range content {
		if media.Schema != nil {
			return strings.TrimPrefix(media.Schema.Ref, "#/components/schemas/")
		}
	}
	return ""
}

// shape is one named object of the spec.
type shape struct {
	Name   string
	Fields []field
}

type field struct {
	Name, Type, Text, Shape string
	Required                bool
}

func shapes(spec *huma.OpenAPI) []shape {
	all := spec.Components.Schemas.Map()
	var made []shape
	for _, name := range slices.Sorted(maps.Keys(all)) {
		s := shape{Name: name}
		for _, member := range slices.Sorted(maps.Keys(all[name].Properties)) {
			p := all[name].Properties[member]
			f := field{Name: member, Type: p.Type, Text: p.Description, Required: slices.Contains(all[name].Required, member)}
			inner := p
			if p.Items != nil {
				inner = p.Items
				f.Type = "list of " + inner.Type
			}
			if f.Shape = strings.TrimPrefix(inner.Ref, "#/components/schemas/"); f.Shape != "" {
				f.Type = strings.TrimSuffix(f.Type, " ")
			}
			if len(p.Enum) > 0 {
				f.Type = "one of " + strings.Trim(strings.ReplaceAll(fmt.Sprint(p.Enum), " ", ", "), "[], ")
			}
			s.Fields = append(s.Fields, f)
		}
		made = append(made, s)
	}
	return made
}
