package main

import (
	"errors"
	"strconv"
	"time"

	"github.com/sendpromptly/sendpromptly/cmd/spadmin/cli"
	"github.com/sendpromptly/sendpromptly/cmd/spadmin/colour"
	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/store/archive"
)

type retainCommand struct {
	OlderThan time.Duration `help:"Remove effects that were settled longer ago than this, 840h (35 days) at least. Default: the project's setting." placeholder:"DURATION"`
	Archive   string        `help:"Write the effects to this folder before they are removed." type:"path" placeholder:"DIR"`
	Project   string        `help:"The project." default:"default"`
	DryRun    bool          `help:"Only count the effects."`
	FullSpeed bool          `help:"Run without pauses (may slow the app)."`
	JSON      bool          `help:"Print JSON."`
}

// Run removes old settled effects.
func (c retainCommand) Run(s *cli.Session) error {
	st, _, done, err := s.Store()
	if err != nil {
		return err
	}
	defer done()
	report, err := st.Archive.Retain(
		s.Context,
		archive.RetainOptions{Project: c.Project, OlderThan: c.OlderThan, Archive: c.Archive, DryRun: c.DryRun, FullSpeed: c.FullSpeed},
	)
	var field *engine.FieldError
	if errors.As(err, &field) && field.Field == "older_than" {
		return cli.WithHint(err, "pass --older-than 840h, or run spadmin project set NAME --retention 2160h")
	}
	if err != nil {
		return advise(err)
	}
	if c.JSON {
		return cli.SayJSON(s.Stdout, report)
	}
	verb := "removed"
	if c.DryRun {
		verb = "would remove"
	}
	cli.Say(
		s.Stdout,
		"%s %s of %d candidate effects",
		verb,
		colour.Strong.Render(strconv.Itoa(report.Removed)),
		report.Seen,
	)
	for _, m := range report.Archives {
		cli.Say(s.Stdout, "%s: %d effects, %s to %s, SHA-256 %s", m.File, m.Effects, cli.Moment(m.AcceptedFrom),
			cli.Moment(m.AcceptedTo), m.SHA256)
	}
	return nil
}
