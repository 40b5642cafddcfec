package adminserver

import (
	"github.com/sendpromptly/sendpromptly/adminserver/internal/alerts"
	"github.com/sendpromptly/sendpromptly/adminserver/internal/api"
	"github.com/sendpromptly/sendpromptly/adminserver/internal/console"
	"github.com/sendpromptly/sendpromptly/adminserver/internal/ingest"
	"github.com/sendpromptly/sendpromptly/adminserver/internal/proofpage"
	"github.com/sendpromptly/sendpromptly/adminserver/internal/web"
)

// rooms puts the parts together: their routes, and their background steps in s.steps.
func (s *Server) rooms() []web.Route {
	sender := alerts.New(s.deps, s.cfg.SMTP)
	routes := append(s.health(), s.metrics.Routes()...)
	s.steps = append(s.steps, s.metrics.Step())
	if s.login != nil && s.serves(Console) {
		routes = append(routes, s.login.Routes()...)
		s.steps = append(s.steps, s.login.Steps()...)
	}
	if s.serves(Console) {
		routes = append(routes, console.Routes(s.deps, sender.Test)...)
		routes = append(routes, api.Routes(s.deps)...)
		s.steps = append(s.steps, api.Steps(s.deps)...)
	}
	if s.serves(Ingest) {
		routes = append(routes, ingest.Routes(s.deps, s.cfg.IngestLimits)...)
	}
	if s.serves(Proof) {
		routes = append(routes, proofpage.Routes(s.deps)...)
	}
	s.steps = append(s.steps, proofpage.Steps(s.deps)...)
	s.steps = append(s.steps, sender.Steps()...)
	return routes
}
