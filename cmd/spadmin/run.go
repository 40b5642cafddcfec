package main

import (
	"fmt"

	"github.com/sendpromptly/sendpromptly/cmd/spadmin/cli"
	"github.com/sendpromptly/sendpromptly/internal/steps"
)

type sweepCommand struct{}

// Run opens incidents for missed deadlines once.
func (sweepCommand) Run(s *cli.Session) error {
	e, done, err := s.Engine("default")
	if err != nil {
		return err
	}
	defer done()
	opened, err := steps.Of(e).Sweep(s.Context)
	if err != nil {
		return err
	}
	cli.Say(s.Stdout, "opened %s", plural(opened, "incident"))
	return nil
}

type runCommand struct{}

// Run runs the engine's steps for all projects until interrupted.
func (runCommand) Run(s *cli.Session) error {
	e, done, err := s.Engine("default")
	if err != nil {
		return err
	}
	defer done()
	_, _ = fmt.Fprintln(s.Stderr, "running; press Ctrl-C to stop")
	return e.Run(s.Context)
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
