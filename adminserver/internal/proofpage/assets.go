package proofpage

import (
	"crypto/sha256"
	_ "embed" // the page's files
	"encoding/hex"
	"net/http"
	"strings"
)

//go:embed proof.css
var styleSheet []byte

//go:embed proof.js
var script []byte

// asset is a file under a name that contains its hash.
type asset struct {
	name, kind string
	content    []byte
}

var assets = []asset{
	newAsset("proof.css", "text/css; charset=utf-8", styleSheet),
	newAsset("proof.js", "text/javascript; charset=utf-8", script),
}

func newAsset(name, kind string, content []byte) asset {
	hash := sha256.Sum256(content)
	base, ending, _ := strings.Cut(name, ".")
	return asset{base + "." + hex.EncodeToString(hash[:6]) + "." + ending, kind, content}
}

const assetsPath = "/p/assets/"

// asset answers with one of the page's files, which may be cached for a year.
func (p *proofPage) asset(w http.ResponseWriter, r *http.Request) {
	for _, a := range assets {
		if a.name == r.PathValue("file") {
			w.Header().Set("Content-Type", a.kind)
			w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
			_, _ = w.Write(a.content) // the browser may be gone
			return
		}
	}
	p.gone(w, r)
}
