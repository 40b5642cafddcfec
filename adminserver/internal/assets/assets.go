// Package assets contains the stylesheet, the script and the icon of every page, without a build step. Their
// served names contain a hash of their content, so that a browser may cache them for ever.
package assets

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"net/http"
	"path"
	"strings"
)

//go:embed console.css console.js mark.svg
var files embed.FS

// Prefix is where the files are served, below the base.
const Prefix = "/assets/"

type asset struct {
	content []byte
	kind    string
}

var kinds = map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}

// byPath are the files by their served names; names maps the file names to those.
var byPath, names = load()

func load() (map[string]asset, map[string]string) {
	byPath, names := map[string]asset{}, map[string]string{}
	entries, err := files.ReadDir(".")
	if err != nil {
		panic(err) // it was embedded when this was compiled
	}
	for _, entry := range entries {
		content, err := files.ReadFile(entry.Name())
		if err != nil {
			panic(err)
		}
		hash := sha256.Sum256(content)
		ending := path.Ext(entry.Name())
		served := strings.TrimSuffix(entry.Name(), ending) + "." + hex.EncodeToString(hash[:6]) + ending
		byPath[Prefix+served] = asset{content, kinds[ending]}
		names[entry.Name()] = Prefix + served
	}
	return byPath, names
}

// Path returns where a file is served, below the base: "console.css" is at
// "/assets/console.0123456789ab.css". It panics if there is no such file.
func Path(name string) string {
	served, ok := names[name]
	if !ok {
		panic(fmt.Sprintf("assets: no file %q", name))
	}
	return served
}

// ServeHTTP answers with a file that may be cached for a year, or with 404. It expects the path without the
// prefix of the base.
func ServeHTTP(w http.ResponseWriter, r *http.Request) {
	file, ok := byPath[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", file.kind)
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	_, _ = w.Write(file.content) // the browser may be gone
}
