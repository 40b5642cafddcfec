package main

import (
	"github.com/sendpromptly/sendpromptly/adminserver"
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
func (c alertTest) Run(s *session) error {
	pool, err := s.pool()
	if err != nil {
		return err
	}
	defer pool.Close()
	results, err := adminserver.TestAlerts(
		s.ctx,
		adminserver.Config{Pool: pool, BaseURL: c.BaseURL, AllowNetworks: s.allow, SMTP: adminserver.SMTP(c.SMTP)},
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
		err = sayJSON(s.stdout, results)
	} else {
		for _, r := range results {
			outcome := colour.Good.Render("sent")
			if !r.OK {
				outcome = colour.Bad.Render(printable(r.Error))
			}
			say(s.stdout, "%s %s: %s", colour.Strong.Render(r.Channel), printable(r.Target), outcome)
		}
	}
	if err == nil && failed {
		return errFound
	}
	return err
}
