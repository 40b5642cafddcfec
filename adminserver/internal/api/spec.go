package api

import (
	"encoding/json"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
)

//go:generate go test -count=1 -run=TestTheCommittedSpec . -update

// tidy removes from the spec what huma adds and this API never sends: huma's form of errors, and lists that
// may be null.
func tidy(spec *huma.OpenAPI) {
	schemas := spec.Components.Schemas.Map()
	delete(schemas, "ErrorModel")
	delete(schemas, "ErrorDetail")
	for _, s := range schemas {
		withoutNull(s)
	}
}

func withoutNull(s *huma.Schema) {
	if s == nil {
		return
	}
	if s.Type == huma.TypeArray {
		s.Nullable = false
	}
	withoutNull(s.Items)
	for _, p := range s.Properties {
		withoutNull(p)
	}
}

func specOf(r *room) []byte {
	compact, err := json.Marshal(r.api.OpenAPI())
	if err != nil {
		panic(err) // the spec is made from types only: a test would have caught it
	}
	var tree any
	if err := json.Unmarshal(compact, &tree); err != nil {
		panic(err)
	}
	pretty, err := json.MarshalIndent(tree, "", "  ")
	if err != nil {
		panic(err)
	}
	return append(pretty, '\n')
}

func typeOf[T any]() reflect.Type { return reflect.TypeFor[T]() }
