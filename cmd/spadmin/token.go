package main

import (
	"time"

	"github.com/sendpromptly/sendpromptly/cmd/spadmin/cli"
	"github.com/sendpromptly/sendpromptly/cmd/spadmin/colour"
	"github.com/sendpromptly/sendpromptly/internal/store/access"
	"github.com/sendpromptly/sendpromptly/internal/wire"
)

type tokenCommand struct {
	Create tokenCreate `cmd:"" help:"Create a token for the admin API and print it once."`
	List   tokenList   `cmd:"" help:"List the tokens."`
	Revoke tokenRevoke `cmd:"" help:"Revoke a token and end its sessions immediately."`
}

type tokenCreate struct {
	Role    string        `help:"The role: viewer, operator or admin." required:"" placeholder:"ROLE"`
	Label   string        `help:"The name of the program that uses the token, for lists and timelines." required:"" placeholder:"LABEL"`
	Project string        `help:"Limit the token to this project. Default: all projects." placeholder:"NAME"`
	Expires time.Duration `help:"Time until the token expires, such as 720h. Default: never." placeholder:"DURATION"`
	cli.Operator
	JSON bool `help:"Print JSON."`
}

// Run creates a token.
func (c tokenCreate) Run(s *cli.Session) error {
	st, _, done, err := s.Store()
	if err != nil {
		return err
	}
	defer done()
	token, secret, err := st.Access.Tokens.Create(s.Context, c.Role, c.Label, c.Project, c.Expires, c.Actor())
	if err != nil {
		return adviseProject(err)
	}
	if c.JSON {
		return cli.SayJSON(s.Stdout, wire.TokenWithSecret{Token: token, Secret: secret})
	}
	cli.Say(s.Stdout, "created %s (%s)", colour.Strong.Render(cli.Printable(token.Label)), token.ID)
	cli.Say(s.Stdout, "token, shown once: %s", colour.Strong.Render(secret))
	return nil
}

type tokenList struct {
	JSON bool `help:"Print JSON."`
}

// Run lists the tokens.
func (c tokenList) Run(s *cli.Session) error {
	st, _, done, err := s.Store()
	if err != nil {
		return err
	}
	defer done()
	all, err := st.Access.Tokens.List(s.Context)
	if err != nil {
		return err
	}
	if c.JSON {
		return cli.SayJSON(s.Stdout, wire.Tokens{Tokens: append([]access.Token{}, all...)})
	}
	var rows [][]string
	for _, t := range all {
		rows = append(
			rows,
			[]string{
				t.ID,
				cli.Printable(t.Label),
				t.Role,
				t.Project,
				"spt_…" + t.Ending,
				cli.Moment(t.ExpiresAt),
				cli.Moment(t.LastUsedAt),
				cli.Moment(t.RevokedAt),
			},
		)
	}
	cli.SayTable(s.Stdout, []string{"ID", "LABEL", "ROLE", "PROJECT", "TOKEN", "EXPIRES", "LAST USED", "REVOKED"}, rows)
	return nil
}

type tokenRevoke struct {
	ID string `arg:"" help:"The token's id."`
	cli.Operator
}

// Run revokes a token.
func (c tokenRevoke) Run(s *cli.Session) error {
	st, _, done, err := s.Store()
	if err != nil {
		return err
	}
	defer done()
	if err := st.Access.Tokens.Revoke(s.Context, c.ID, c.Actor()); err != nil {
		return adviseList(err, "spadmin token list prints the valid tokens")
	}
	cli.Say(s.Stdout, "revoked %s", c.ID)
	return nil
}
