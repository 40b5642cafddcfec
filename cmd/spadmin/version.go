package main

import (
	"runtime"
	"runtime/debug"
)

type versionCommand struct {
	JSON bool `help:"Print JSON."`
}

// Run prints the version that the Go linker recorded.
func (c versionCommand) Run(s *session) error {
	version := "unknown"
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		version = info.Main.Version
	}
	if c.JSON {
		return sayJSON(s.stdout, map[string]string{"version": version, "go": runtime.Version()})
	}
	say(s.stdout, "spadmin %s (%s)", version, runtime.Version())
	return nil
}
