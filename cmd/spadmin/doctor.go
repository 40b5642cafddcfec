package main

import (
	"github.com/sendpromptly/sendpromptly/cmd/spadmin/cli"
	"github.com/sendpromptly/sendpromptly/cmd/spadmin/colour"
	"github.com/sendpromptly/sendpromptly/internal/store/checks"
)

type doctorCommand struct {
	JSON bool `help:"Print JSON."`
}

// Run prints the findings; a problem gives exit code 1.
func (c doctorCommand) Run(s *cli.Session) error {
	st, _, done, err := s.Store()
	if err != nil {
		return err
	}
	defer done()
	findings, err := st.Checks.Doctor(s.Context)
	if err != nil {
		return err
	}
	if c.JSON {
		if err := cli.SayJSON(s.Stdout, findings); err != nil {
			return err
		}
	}
	problems := false
	marks := map[string]string{
		checks.LevelOK:      colour.Good.Render("✓"),
		checks.LevelWarning: colour.Waiting.Render("!"),
		checks.LevelProblem: colour.Bad.Render("✗"),
	}
	for _, f := range findings {
		problems = problems || f.Level == checks.LevelProblem
		if c.JSON {
			continue
		}
		cli.Say(s.Stdout, "%s %-8s %s", marks[f.Level], f.Area, cli.Printable(f.Detail))
		if f.Repair != "" {
			cli.Say(s.Stdout, "    %s %s", colour.Quiet.Render("repair:"), cli.Printable(f.Repair))
		}
	}
	if problems {
		return cli.ErrFound
	}
	return nil
}
