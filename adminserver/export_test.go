package adminserver

import "github.com/sendpromptly/sendpromptly/adminserver/internal/web"

// Table is everything that a server answers.
func (s *Server) Table() []web.Route { return s.handler.Routes() }
