package main

import (
	"errors"

	"github.com/sendpromptly/sendpromptly/cmd/spadmin/colour"
	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/store/evidence"
)

type eraseCommand struct {
	Customer string `help:"Erase the effects of this customer." xor:"who" required:"" placeholder:"ID"`
	Subject  string `help:"Erase the effects of this subject, the app's own reference." xor:"who" required:"" placeholder:"ID"`
	Project  string `help:"The project." default:"default"`
	operator
	JSON bool `help:"Print JSON."`
}

// Run destroys what a person's effects hold about them. It cannot be undone.
func (c eraseCommand) Run(s *session) error {
	st, _, done, err := s.store()
	if err != nil {
		return err
	}
	defer done()
	erased, err := st.Evidence.Erase(
		s.ctx,
		evidence.EraseRequest{Project: c.Project, Customer: c.Customer, Subject: c.Subject, By: c.name()},
	)
	if errors.Is(err, engine.ErrNotFound) {
		return hint{err, "spadmin project list shows the names"}
	}
	if err != nil {
		return err
	}
	if c.JSON {
		return sayJSON(s.stdout, erased)
	}
	if erased.Effects == 0 {
		say(s.stdout, "nothing to erase: no effect of project %s names them", printable(c.Project))
		return nil
	}
	say(
		s.stdout,
		"%s %d effects: their personal values are destroyed, their chains and proofs stay valid",
		colour.Good.Render("erased"),
		erased.Effects,
	)
	if erased.Open > 0 {
		say(s.stdout, "%s %d of them are still owed: a repair will not be told for whom", colour.Waiting.Render("note"), erased.Open)
	}
	return nil
}
