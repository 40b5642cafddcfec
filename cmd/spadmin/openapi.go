package main

import (
	"github.com/sendpromptly/sendpromptly/adminserver"
	"github.com/sendpromptly/sendpromptly/cmd/spadmin/cli"
)

type openapiCommand struct{}

// Run prints the admin API's description.
func (openapiCommand) Run(s *cli.Session) error {
	_, err := s.Stdout.Write(adminserver.OpenAPI())
	return err
}
