package main

import (
	"github.com/sendpromptly/sendpromptly/cmd/spadmin/cli"
	"github.com/sendpromptly/sendpromptly/cmd/spadmin/colour"
	"github.com/sendpromptly/sendpromptly/internal/store/access"
	"github.com/sendpromptly/sendpromptly/internal/wire"
)

type operatorCommand struct {
	Invite operatorInvite `cmd:"" help:"Invite an operator and print a one-time login link."`
	Login  operatorLogin  `cmd:"" help:"Print a one-time login link for an operator."`
	List   operatorList   `cmd:"" help:"List the operators."`
	Role   operatorRole   `cmd:"" help:"Change an operator's role."`
	Remove operatorRemove `cmd:"" help:"Remove an operator and end their sessions."`
}

type operatorInvite struct {
	Email string `arg:"" help:"The email address."`
	Role  string `help:"viewer, operator or admin." default:"operator" placeholder:"ROLE"`
	cli.IssuerFlag
	cli.Operator
	JSON bool `help:"Print JSON."`
}

// Run invites an operator.
func (c operatorInvite) Run(s *cli.Session) error {
	st, _, done, err := s.Store()
	if err != nil {
		return err
	}
	defer done()
	secret, err := st.Access.Operators.Invite(s.Context, c.Email, c.Role, c.Actor())
	if err != nil {
		return err
	}
	return sayLink(s, c.IssuerFlag, secret, c.JSON)
}

// sayLink prints a one-time login link.
func sayLink(s *cli.Session, i cli.IssuerFlag, secret string, asJSON bool) error {
	base, err := i.Base()
	if err != nil {
		return err
	}
	i.Remind(s)
	link := base + "/login/" + secret
	if asJSON {
		return cli.SayJSON(s.Stdout, wire.LoginLink{URL: link})
	}
	cli.Say(s.Stdout, "Use this one-time link within 15 minutes:")
	cli.Say(s.Stdout, "%s", colour.Strong.Render(link))
	return nil
}

type operatorLogin struct {
	Email string `arg:"" help:"The operator's address."`
	cli.IssuerFlag
	cli.Operator
	JSON bool `help:"Print JSON."`
}

// Run prints a login link.
func (c operatorLogin) Run(s *cli.Session) error {
	st, _, done, err := s.Store()
	if err != nil {
		return err
	}
	defer done()
	secret, err := st.Access.Operators.CreateLink(s.Context, c.Email, c.Actor())
	if err != nil {
		return adviseOperator(err)
	}
	return sayLink(s, c.IssuerFlag, secret, c.JSON)
}

func adviseOperator(err error) error {
	return adviseList(err, "spadmin operator list prints the operators, spadmin operator invite adds one")
}

type operatorList struct {
	JSON bool `help:"Print JSON."`
}

// Run lists the operators.
func (c operatorList) Run(s *cli.Session) error {
	st, _, done, err := s.Store()
	if err != nil {
		return err
	}
	defer done()
	all, err := st.Access.Operators.List(s.Context)
	if err != nil {
		return err
	}
	if c.JSON {
		return cli.SayJSON(s.Stdout, wire.Operators{Operators: append([]access.OperatorAccount{}, all...)})
	}
	var rows [][]string
	for _, o := range all {
		rows = append(rows, []string{
			cli.Printable(o.Email), o.Role, cli.Moment(o.CreatedAt), cli.Printable(o.CreatedBy),
			cli.Moment(o.LastLoginAt),
		})
	}
	cli.SayTable(s.Stdout, []string{"EMAIL", "ROLE", "SINCE", "BY", "LAST LOGIN"}, rows)
	return nil
}

type operatorRole struct {
	Email string `arg:"" help:"The operator's address."`
	Role  string `arg:"" help:"viewer, operator or admin."`
	cli.Operator
}

// Run changes a role.
func (c operatorRole) Run(s *cli.Session) error {
	st, _, done, err := s.Store()
	if err != nil {
		return err
	}
	defer done()
	if err := st.Access.Operators.SetRole(s.Context, c.Email, c.Role, c.Actor()); err != nil {
		return adviseOperator(err)
	}
	cli.Say(s.Stdout, "%s is now %s", colour.Strong.Render(cli.Printable(c.Email)), c.Role)
	return nil
}

type operatorRemove struct {
	Email string `arg:"" help:"The operator's address."`
	cli.Operator
}

// Run removes an operator.
func (c operatorRemove) Run(s *cli.Session) error {
	st, _, done, err := s.Store()
	if err != nil {
		return err
	}
	defer done()
	if err := st.Access.Operators.Remove(s.Context, c.Email, c.Actor()); err != nil {
		return adviseOperator(err)
	}
	cli.Say(s.Stdout, "removed %s", colour.Strong.Render(cli.Printable(c.Email)))
	return nil
}
