package main

import (
	"errors"

	"github.com/sendpromptly/sendpromptly/cmd/spadmin/cli"
	"github.com/sendpromptly/sendpromptly/cmd/spadmin/colour"
	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/store/evidence"
)

type eraseCommand struct {
	Customer string `help:"Erase the personal data in this customer's effects." xor:"who" required:"" placeholder:"ID"`
	Subject  string `help:"Erase the personal data in the effects with this reference, the app's own id." xor:"who" required:"" placeholder:"ID"`
	Project  string `help:"The project." default:"default"`
	cli.Operator
	JSON bool `help:"Print JSON."`
}

// Run erases the personal data in a customer's effects. It cannot be undone.
func (c eraseCommand) Run(s *cli.Session) error {
	st, _, done, err := s.Store()
	if err != nil {
		return err
	}
	defer done()
	erased, err := st.Evidence.Erase(
		s.Context,
		evidence.EraseRequest{Project: c.Project, Customer: c.Customer, Subject: c.Subject, By: c.Actor()},
	)
	if errors.Is(err, engine.ErrNotFound) {
		return cli.WithHint(err, "spadmin project list shows the names")
	}
	if err != nil {
		return err
	}
	if c.JSON {
		return cli.SayJSON(s.Stdout, erased)
	}
	if erased.Effects == 0 {
		cli.Say(s.Stdout, "nothing to erase: no effect of project %s has this customer or reference", cli.Printable(c.Project))
		return nil
	}
	cli.Say(
		s.Stdout,
		"%s the personal data of %s; chains and proofs stay valid",
		colour.Good.Render("erased"),
		plural(erased.Effects, "effect"),
	)
	if erased.Open > 0 {
		note := colour.Waiting.Render("note:")
		cli.Say(s.Stdout, "%s %d of them are still owed: their repairs will not name the customer", note, erased.Open)
	}
	return nil
}
