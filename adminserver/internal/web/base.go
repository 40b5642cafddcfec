// Package web has what all rooms of the admin server share: where it is mounted, and what every answer
// contains.
package web

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/sendpromptly/sendpromptly/engine"
)

// Base is where the server is mounted, as its users reach it. Every URL that
// the server writes derives from it.
type Base struct {
	url    string // without a slash at the end
	prefix string // the path of url
	path   string // prefix, decoded
	secure bool
}

// ParseBase reads a base URL such as https://ops.example.com/sendpromptly.
func ParseBase(raw string) (Base, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" ||
		u.User != nil {
		return Base{}, &engine.FieldError{Field: "base_url", Reason: "must be an absolute http or https URL without a query"}
	}
	u.Path, u.RawPath = strings.TrimRight(u.Path, "/"), ""
	return Base{url: u.String(), prefix: u.EscapedPath(), path: u.Path, secure: u.Scheme == "https"}, nil
}

// Path returns the path of a page below the base; page begins with a slash.
func (b Base) Path(page string) string { return b.prefix + page }

// URL returns the whole address of a page below the base; page begins with a slash.
func (b Base) URL(page string) string { return b.url + page }

// String returns the base itself, without a slash at the end. It is the issuer of proofs.
func (b Base) String() string { return b.url }

// Prefix is the path that requests begin with: "" or "/…" without a slash at the end.
func (b Base) Prefix() string { return b.prefix }

// Secure says whether users connect over https.
func (b Base) Secure() bool { return b.secure }

// origin is the base without its path, as browsers write an Origin: in lower
// case and without the port that the scheme has anyway.
func (b Base) origin() string {
	origin := strings.ToLower(strings.TrimSuffix(b.url, b.prefix))
	if b.secure {
		return strings.TrimSuffix(origin, ":443")
	}
	return strings.TrimSuffix(origin, ":80")
}

// strip returns the request with its path below the base; false if it is not below it.
func (b Base) strip(r *http.Request) (*http.Request, bool) {
	if b.path == "" {
		return r, true
	}
	path, ok := strings.CutPrefix(r.URL.Path, b.path)
	raw, rawOK := strings.CutPrefix(r.URL.RawPath, b.prefix)
	if !ok || r.URL.RawPath != "" && !rawOK || path != "" && path[0] != '/' {
		return r, false
	}
	if path == "" {
		path, raw = "/", ""
	}
	inner := new(http.Request)
	*inner = *r
	u := *r.URL
	u.Path, u.RawPath = path, raw
	inner.URL = &u
	return inner, true
}
