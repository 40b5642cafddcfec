package web

import (
	"encoding/json"
	"html/template"
	"net/http"
	"strings"
)

// Answerer writes a problem in the form that a room's callers expect.
type Answerer func(w http.ResponseWriter, r *http.Request, p *Problem)

// WriteProblem answers programs.
func WriteProblem(w http.ResponseWriter, _ *http.Request, p *Problem) {
	writeJSON(w, p.Status, "application/problem+json", p)
}

// wireCodes are the error codes of the ingest API that do not need its room.
var wireCodes = map[int]string{
	http.StatusNotFound:              "not_found",
	http.StatusMethodNotAllowed:      "not_found",
	http.StatusRequestEntityTooLarge: "payload_too_large",
}

// writeWire answers callers of the ingest API if its room was not reached.
func writeWire(w http.ResponseWriter, _ *http.Request, p *Problem) {
	code, known := wireCodes[p.Status]
	if !known {
		code = "internal_error"
	}
	type inner struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	writeJSON(w, p.Status, "application/json", map[string]inner{"error": {code, p.Title}})
}

func writeJSON(w http.ResponseWriter, status int, kind string, v any) {
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the caller is gone if this fails
}

var plainPage = template.Must(template.New("problem").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{{.Title}}</title></head>
<body><main><h1>{{.Title}}</h1>{{with .Detail}}<p>{{.}}</p>{{end}}</main></body></html>
`))

// writePage answers people if there is no console page.
func writePage(w http.ResponseWriter, _ *http.Request, p *Problem) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(p.Status)
	_ = plainPage.Execute(w, p)
}

// kindOf guesses from an unknown path which kind of caller sent it.
func kindOf(path string) Kind {
	switch {
	case strings.HasPrefix(path, "/api/v1/"), strings.HasPrefix(path, "/v1/"):
		return Wire
	case strings.HasPrefix(path, "/api/"):
		return API
	}
	return Page
}
