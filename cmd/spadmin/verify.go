package main

import (
	"time"

	"github.com/sendpromptly/sendpromptly/cmd/spadmin/cli"
	"github.com/sendpromptly/sendpromptly/cmd/spadmin/colour"
)

type verifyCommand struct {
	Grace time.Duration `help:"Report a missing incident when an effect is overdue for longer than this." default:"5s"`
	JSON  bool          `help:"Print JSON."`
}

// Run checks the database against its invariants; a violation gives exit code 1.
func (c verifyCommand) Run(s *cli.Session) error {
	st, _, done, err := s.Store()
	if err != nil {
		return err
	}
	defer done()
	report, err := st.Checks.Verify(s.Context, c.Grace)
	if err != nil {
		return err
	}
	if c.JSON {
		err = cli.SayJSON(s.Stdout, report)
	} else {
		for _, check := range report.Checks {
			mark := colour.Good.Render("✓")
			if !check.OK {
				mark = colour.Bad.Render("✗")
			}
			cli.Say(s.Stdout, "%s %-6s %s", mark, check.ID, check.Title)
			for _, row := range check.Rows {
				cli.Say(s.Stdout, "    %s", cli.Printable(row))
			}
		}
	}
	if err == nil && !report.OK {
		return cli.ErrFound
	}
	return err
}
