package main

import (
	"fmt"

	"github.com/sendpromptly/sendpromptly/internal/steps"
)

type sweepCommand struct{}

// Run opens incidents for missed deadlines once.
func (sweepCommand) Run(s *session) error {
	e, done, err := s.engine("default")
	if err != nil {
		return err
	}
	defer done()
	opened, err := steps.Of(e).Sweep(s.ctx)
	if err != nil {
		return err
	}
	say(s.stdout, "opened %s", plural(opened, "incident"))
	return nil
}

type runCommand struct{}

// Run runs the engine's steps for all projects until interrupted.
func (runCommand) Run(s *session) error {
	e, done, err := s.engine("default")
	if err != nil {
		return err
	}
	defer done()
	_, _ = fmt.Fprintln(s.stderr, "running; press Ctrl-C to stop")
	return e.Run(s.ctx)
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
