package main

import (
	"runtime"
	"runtime/debug"

	"github.com/sendpromptly/sendpromptly/cmd/spadmin/cli"
)

type versionCommand struct {
	JSON bool `help:"Print JSON."`
}

// Run prints the version that the Go linker recorded.
func (c versionCommand) Run(s *cli.Session) error {
	version := "unknown"
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		version = info.Main.Version
	}
	if c.JSON {
		return cli.SayJSON(s.Stdout, map[string]string{"version": version, "go": runtime.Version()})
	}
	cli.Say(s.Stdout, "spadmin %s (%s)", version, runtime.Version())
	return nil
}
