package main

import (
	"github.com/sendpromptly/sendpromptly/cmd/spadmin/colour"
	"github.com/sendpromptly/sendpromptly/internal/store/checks"
)

type doctorCommand struct {
	JSON bool `help:"Print JSON."`
}

// Run prints the findings; a problem gives exit code 1.
func (c doctorCommand) Run(s *session) error {
	st, _, done, err := s.store()
	if err != nil {
		return err
	}
	defer done()
	findings, err := st.Checks.Doctor(s.ctx)
	if err != nil {
		return err
	}
	if c.JSON {
		if err := sayJSON(s.stdout, findings); err != nil {
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
		say(s.stdout, "%s %-8s %s", marks[f.Level], f.Area, printable(f.Detail))
		if f.Repair != "" {
			say(s.stdout, "    %s %s", colour.Quiet.Render("repair:"), printable(f.Repair))
		}
	}
	if problems {
		return errFound
	}
	return nil
}
