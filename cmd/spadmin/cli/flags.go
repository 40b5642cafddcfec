package cli

import (
	"cmp"
	"fmt"
	"net/url"
	"os/user"
	"strings"

	"github.com/sendpromptly/sendpromptly/engine"
)

// Operator is the person who acts, as the timeline shows it.
type Operator struct {
	By string `help:"Your name in the timeline and the audit log. Default: your user name on this machine." placeholder:"NAME"`
}

// Actor is the name that enters the timeline and the audit log.
func (o Operator) Actor() engine.Operator {
	if o.By != "" {
		return engine.Operator(o.By)
	}
	if u, err := user.Current(); err == nil && u.Username != "" {
		return engine.Operator("spadmin:" + u.Username)
	}
	return "spadmin"
}

// IssuerFlag is the flag for the base URL of links.
type IssuerFlag struct {
	BaseURL string `name:"base-url" help:"The server's address for users. Default: http://127.0.0.1:8787." env:"SENDPROMPTLY_BASE_URL" placeholder:"URL"`
}

// DefaultBaseURL is the base URL of serve with its default settings.
const DefaultBaseURL = "http://127.0.0.1:8787"

// Base returns the base URL without a trailing slash.
func (i IssuerFlag) Base() (string, error) {
	return BaseURL("--base-url", cmp.Or(i.BaseURL, DefaultBaseURL))
}

// Remind warns when a link uses the default base URL.
func (i IssuerFlag) Remind(s *Session) {
	if i.BaseURL == "" {
		_, _ = fmt.Fprintf(
			s.Stderr,
			"hint: the link uses the default address %s: "+
				"set the server's address with --base-url URL or SENDPROMPTLY_BASE_URL\n",
			DefaultBaseURL,
		)
	}
}

// BaseURL checks a base URL and returns it without a trailing slash. field is the flag
// that the error names.
func BaseURL(field, raw string) (string, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" ||
		u.User != nil {
		return "", &engine.FieldError{Field: field, Reason: "must be an absolute http or https URL without a query"}
	}
	u.Path, u.RawPath = strings.TrimRight(u.Path, "/"), ""
	return u.String(), nil
}
