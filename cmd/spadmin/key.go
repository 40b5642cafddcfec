package main

import (
	"errors"

	"github.com/sendpromptly/sendpromptly/cmd/spadmin/cli"
	"github.com/sendpromptly/sendpromptly/cmd/spadmin/colour"
	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/store/access"
	"github.com/sendpromptly/sendpromptly/internal/wire"
)

type keyCommand struct {
	Create keyCreate `cmd:"" help:"Create an API key for the ingest API and print it once."`
	List   keyList   `cmd:"" help:"List a project's API keys."`
	Revoke keyRevoke `cmd:"" help:"Revoke an API key immediately."`
}

type keyCreate struct {
	Project string `help:"The project that the key belongs to." default:"default" placeholder:"NAME"`
	Label   string `help:"The name of the program that uses the key." required:"" placeholder:"LABEL"`
	cli.Operator
	JSON bool `help:"Print JSON."`
}

// Run creates a key.
func (c keyCreate) Run(s *cli.Session) error {
	st, _, done, err := s.Store()
	if err != nil {
		return err
	}
	defer done()
	key, secret, err := st.Access.Keys.Create(s.Context, c.Project, c.Label, c.Actor())
	if err != nil {
		return adviseProject(err)
	}
	if c.JSON {
		return cli.SayJSON(s.Stdout, wire.KeyWithSecret{APIKey: key, Secret: secret})
	}
	cli.Say(s.Stdout, "created %s (%s)", colour.Strong.Render(cli.Printable(key.Label)), key.ID)
	cli.Say(s.Stdout, "key, shown once: %s", colour.Strong.Render(secret))
	return nil
}

type keyList struct {
	Project string `help:"The project." default:"default" placeholder:"NAME"`
	JSON    bool   `help:"Print JSON."`
}

// Run lists keys.
func (c keyList) Run(s *cli.Session) error {
	st, _, done, err := s.Store()
	if err != nil {
		return err
	}
	defer done()
	keys, err := st.Access.Keys.List(s.Context, c.Project)
	if err != nil {
		return adviseProject(err)
	}
	if c.JSON {
		return cli.SayJSON(s.Stdout, wire.Keys{Keys: append([]access.APIKey{}, keys...)})
	}
	var rows [][]string
	for _, k := range keys {
		rows = append(
			rows,
			[]string{
				k.ID,
				cli.Printable(k.Label),
				"sk_…" + k.Ending,
				cli.Moment(k.CreatedAt),
				cli.Printable(k.CreatedBy),
				cli.Moment(k.LastUsedAt),
				cli.Moment(k.RevokedAt),
			},
		)
	}
	cli.SayTable(s.Stdout, []string{"ID", "LABEL", "KEY", "CREATED", "BY", "LAST USED", "REVOKED"}, rows)
	return nil
}

type keyRevoke struct {
	ID      string `arg:"" help:"The key's id."`
	Project string `help:"The project that the key belongs to." default:"default" placeholder:"NAME"`
	cli.Operator
}

// Run revokes a key.
func (c keyRevoke) Run(s *cli.Session) error {
	st, _, done, err := s.Store()
	if err != nil {
		return err
	}
	defer done()
	if err := st.Access.Keys.Revoke(s.Context, c.Project, c.ID, c.Actor()); err != nil {
		return adviseList(err, "spadmin key list --project "+c.Project+" lists the valid keys")
	}
	cli.Say(s.Stdout, "revoked %s", c.ID)
	return nil
}

func adviseProject(err error) error {
	return adviseList(err, "spadmin project list prints the names")
}

// adviseList adds a hint to a not-found error.
func adviseList(err error, advice string) error {
	if errors.Is(err, engine.ErrNotFound) {
		return cli.WithHint(err, advice)
	}
	return err
}
