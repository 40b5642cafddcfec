package main

import (
	"github.com/sendpromptly/sendpromptly/adminserver"
	"github.com/sendpromptly/sendpromptly/cmd/spadmin/cli"
	"github.com/sendpromptly/sendpromptly/cmd/spadmin/colour"
)

type alertCommand struct {
	Test alertTest `cmd:"" help:"Send a test message to each alert destination of a project."`
}

type alertTest struct {
	Project string    `help:"The project." default:"default" placeholder:"NAME"`
	BaseURL string    `name:"base-url" help:"The server's address for users; the test message links to it." default:"http://127.0.0.1:8787" env:"SENDPROMPTLY_BASE_URL" placeholder:"URL"`
	SMTP    smtpFlags `embed:"" prefix:"smtp-" group:"Mail"`
	JSON    bool      `help:"Print JSON."`
}

// Run sends the messages and prints each result.
func (c alertTest) Run(s *cli.Session) error {
	pool, err := s.Pool()
	if err != nil {
		return err
	}
	defer pool.Close()
	results, err := adminserver.TestAlerts(
		s.Context,
		adminserver.Config{Pool: pool, BaseURL: c.BaseURL, AllowNetworks: s.Allow, SMTP: adminserver.SMTP(c.SMTP)},
		c.Project,
	)
	if err != nil {
		return adviseProject(err)
	}
	failed := false
	for _, r := range results {
		failed = failed || !r.OK
	}
	if c.JSON {
		err = cli.SayJSON(s.Stdout, results)
	} else {
		for _, r := range results {
			outcome := colour.Good.Render("sent")
			if !r.OK {
				outcome = colour.Bad.Render(cli.Printable(r.Error))
			}
			cli.Say(s.Stdout, "%s %s: %s", colour.Strong.Render(r.Channel), cli.Printable(r.Target), outcome)
		}
	}
	if err == nil && failed {
		return cli.ErrFound
	}
	return err
}
