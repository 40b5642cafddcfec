package main

import (
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
	issuer
	operator
	JSON bool `help:"Print JSON."`
}

// Run invites an operator.
func (c operatorInvite) Run(s *session) error {
	st, _, done, err := s.store()
	if err != nil {
		return err
	}
	defer done()
	secret, err := st.Access.Operators.Invite(s.ctx, c.Email, c.Role, c.name())
	if err != nil {
		return err
	}
	return c.sayLink(s, secret, c.JSON)
}

// sayLink prints a one-time login link.
func (i issuer) sayLink(s *session, secret string, asJSON bool) error {
	base, err := i.base()
	if err != nil {
		return err
	}
	i.remind(s)
	link := base + "/login/" + secret
	if asJSON {
		return sayJSON(s.stdout, wire.LoginLink{URL: link})
	}
	say(s.stdout, "Use this one-time link within 15 minutes:")
	say(s.stdout, "%s", colour.Strong.Render(link))
	return nil
}

type operatorLogin struct {
	Email string `arg:"" help:"The operator's address."`
	issuer
	operator
	JSON bool `help:"Print JSON."`
}

// Run prints a login link.
func (c operatorLogin) Run(s *session) error {
	st, _, done, err := s.store()
	if err != nil {
		return err
	}
	defer done()
	secret, err := st.Access.Operators.CreateLink(s.ctx, c.Email, c.name())
	if err != nil {
		return adviseOperator(err)
	}
	return c.sayLink(s, secret, c.JSON)
}

func adviseOperator(err error) error {
	return adviseList(err, "spadmin operator list prints the operators, spadmin operator invite adds one")
}

type operatorList struct {
	JSON bool `help:"Print JSON."`
}

// Run lists the operators.
func (c operatorList) Run(s *session) error {
	st, _, done, err := s.store()
	if err != nil {
		return err
	}
	defer done()
	all, err := st.Access.Operators.List(s.ctx)
	if err != nil {
		return err
	}
	if c.JSON {
		return sayJSON(s.stdout, wire.Operators{Operators: append([]access.OperatorAccount{}, all...)})
	}
	var rows [][]string
	for _, o := range all {
		rows = append(rows, []string{printable(o.Email), o.Role, moment(o.CreatedAt), printable(o.CreatedBy), moment(o.LastLoginAt)})
	}
	sayTable(s.stdout, []string{"EMAIL", "ROLE", "SINCE", "BY", "LAST LOGIN"}, rows)
	return nil
}

type operatorRole struct {
	Email string `arg:"" help:"The operator's address."`
	Role  string `arg:"" help:"viewer, operator or admin."`
	operator
}

// Run changes a role.
func (c operatorRole) Run(s *session) error {
	st, _, done, err := s.store()
	if err != nil {
		return err
	}
	defer done()
	if err := st.Access.Operators.SetRole(s.ctx, c.Email, c.Role, c.name()); err != nil {
		return adviseOperator(err)
	}
	say(s.stdout, "%s is now %s", colour.Strong.Render(printable(c.Email)), c.Role)
	return nil
}

type operatorRemove struct {
	Email string `arg:"" help:"The operator's address."`
	operator
}

// Run removes an operator.
func (c operatorRemove) Run(s *session) error {
	st, _, done, err := s.store()
	if err != nil {
		return err
	}
	defer done()
	if err := st.Access.Operators.Remove(s.ctx, c.Email, c.name()); err != nil {
		return adviseOperator(err)
	}
	say(s.stdout, "removed %s", colour.Strong.Render(printable(c.Email)))
	return nil
}
