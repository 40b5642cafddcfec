package main

import "github.com/sendpromptly/sendpromptly/adminserver"

type openapiCommand struct{}

// Run prints the admin API's description.
func (openapiCommand) Run(s *session) error {
	_, err := s.stdout.Write(adminserver.OpenAPI())
	return err
}
