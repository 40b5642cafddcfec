package adminserver

import (
	"github.com/sendpromptly/sendpromptly/adminserver/internal/alerts"
	"github.com/sendpromptly/sendpromptly/adminserver/internal/api"
	"github.com/sendpromptly/sendpromptly/adminserver/internal/console"
	"github.com/sendpromptly/sendpromptly/adminserver/internal/ingest"
	"github.com/sendpromptly/sendpromptly/adminserver/internal/mail"
	"github.com/sendpromptly/sendpromptly/adminserver/internal/proofpage"
	"github.com/sendpromptly/sendpromptly/adminserver/internal/web"
)

// rooms collects the routes of all parts, and their background steps in s.steps.
func (s *Server) rooms() []web.Route {
	sender := alerts.New(s.deps, mail.SMTP(s.cfg.SMTP))
	routes := append(s.health(), s.metrics.Routes()...)
	s.steps = append(s.steps, s.metrics.Step())
	if s.login != nil && s.serves(PartConsole) {
		routes = append(routes, s.login.Routes()...)
		s.steps = append(s.steps, s.login.Steps()...)
	}
	if s.serves(PartConsole) {
		routes = append(routes, console.Routes(s.deps, sender.Test)...)
		routes = append(routes, api.Routes(s.deps)...)
		s.steps = append(s.steps, api.Steps(s.deps)...)
	}
	if s.serves(PartIngest) {
		routes = append(routes, ingest.Routes(s.deps, ingest.Limits(s.cfg.IngestLimits))...)
	}
	if s.serves(PartProof) {
		routes = append(routes, proofpage.Routes(s.deps)...)
	}
	s.steps = append(s.steps, proofpage.Steps(s.deps)...)
	s.steps = append(s.steps, sender.Steps()...)
	return routes
}
