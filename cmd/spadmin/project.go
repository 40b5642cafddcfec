package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sendpromptly/sendpromptly/cmd/spadmin/cli"
	"github.com/sendpromptly/sendpromptly/cmd/spadmin/colour"
	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/store/projects"
	"github.com/sendpromptly/sendpromptly/internal/store/rooms"
	"github.com/sendpromptly/sendpromptly/internal/wire"
)

type projectCommand struct {
	Create projectCreate `cmd:"" help:"Create a project and print its callback secret once."`
	List   projectList   `cmd:"" help:"List the projects."`
	Set    projectSet    `cmd:"" help:"Change a project."`
}

// projectSettings are the flags that create and set share.
type projectSettings struct {
	Mode              *string        `help:"The mode: test, live, or empty for none." placeholder:"MODE"`
	Timeout           *time.Duration `help:"Time until the deadline of an effect, 1s to 720h." placeholder:"30m"`
	RepairURL         *string        `name:"repair-url" help:"The app's repair endpoint, which receives the callbacks." placeholder:"URL"`
	PublicName        *string        `help:"The name that customers see at the top of a proof page." placeholder:"NAME"`
	SupportContact    *string        `help:"The contact that customers see for questions." placeholder:"CONTACT"`
	SignaturePrefix   *bool          `help:"Write v1= before the callback's signature." negatable:""`
	Snapshots         *bool          `help:"Store encrypted payloads for 30 days." negatable:""`
	Suspended         *bool          `help:"Refuse the project's keys at the ingest API." negatable:""`
	AlertEmail        *string        `help:"Email addresses for incident alerts, separated by commas." placeholder:"ADDRESSES"`
	AlertSlack        *string        `help:"Slack incoming webhook for incident alerts." placeholder:"URL"`
	AlertWebhook      *string        `help:"Your own webhook for incident alerts. Its signing secret is printed once." placeholder:"URL"`
	AlertAfterFailed  *time.Duration `help:"Delay of the alert after an effect failed." placeholder:"2m"`
	AlertAfterMissing *time.Duration `help:"Delay of the alert after an effect went missing." placeholder:"0s"`
	Retention         *time.Duration `help:"How long to keep settled effects, 840h (35 days) at least; 0s keeps them forever." placeholder:"0s"`
}

func (p projectSettings) settings() projects.Settings {
	return projects.Settings{
		Mode:              p.Mode,
		Timeout:           p.Timeout,
		RepairURL:         p.RepairURL,
		SignaturePrefix:   p.SignaturePrefix,
		PublicName:        p.PublicName,
		SupportContact:    p.SupportContact,
		Snapshots:         p.Snapshots,
		Retention:         p.Retention,
		Suspended:         p.Suspended,
		AlertEmail:        p.AlertEmail,
		AlertSlack:        p.AlertSlack,
		AlertWebhook:      p.AlertWebhook,
		AlertAfterFailed:  p.AlertAfterFailed,
		AlertAfterMissing: p.AlertAfterMissing,
	}
}

type projectCreate struct {
	Name string `arg:"" help:"The name: 1 to 63 characters of a-z, 0-9, _ and -."`
	projectSettings
	cli.Operator
	JSON bool `help:"Print JSON."`
}

// Run creates a project.
func (c projectCreate) Run(s *cli.Session) error {
	st, _, done, err := s.Store()
	if err != nil {
		return err
	}
	defer done()
	project, secret, err := st.Projects.Create(s.Context, c.Name, c.settings(), s.Allow, c.Actor())
	if err != nil {
		return advise(err)
	}
	if c.JSON {
		return cli.SayJSON(s.Stdout, wire.ProjectWithSecret{Project: wire.NewProject(project), CallbackSecret: secret})
	}
	cli.Say(s.Stdout, "created %s (%s)", colour.Strong.Render(project.Name), project.ID)
	saySecret(s, secret)
	sayAlertSecret(s, project)
	return nil
}

func sayAlertSecret(s *cli.Session, project projects.Project) {
	if project.AlertWebhookSecret != "" {
		cli.Say(s.Stdout, "secret of the alert webhook, shown once: %s", colour.Strong.Render(project.AlertWebhookSecret))
	}
}

func saySecret(s *cli.Session, secret string) {
	cli.Say(s.Stdout, "callback secret, shown once: %s", colour.Strong.Render(secret))
}

type projectList struct {
	JSON bool `help:"Print JSON."`
}

// Run lists the projects.
func (c projectList) Run(s *cli.Session) error {
	st, _, done, err := s.Store()
	if err != nil {
		return err
	}
	defer done()
	projects, err := st.Projects.List(s.Context)
	if err != nil {
		return err
	}
	if c.JSON {
		return cli.SayJSON(s.Stdout, wire.Projects{Projects: wire.List(projects, wire.NewProject)})
	}
	var rows [][]string
	for _, p := range projects {
		rows = append(
			rows,
			[]string{
				p.Name,
				p.Mode,
				p.Timeout.String(),
				cli.Printable(p.RepairURL),
				cli.Printable(p.PublicName),
				cli.Printable(p.SupportContact),
				alertsOf(p),
				suspended(p),
			},
		)
	}
	cli.SayTable(s.Stdout, []string{"NAME", "MODE", "TIMEOUT", "REPAIR URL", "PUBLIC NAME", "SUPPORT", "ALERTS", ""}, rows)
	return nil
}

// alertsOf lists the channels of a project's alerts.
func alertsOf(p projects.Project) string {
	var channels []string
	for _, c := range []struct{ name, target string }{
		{"email", p.AlertEmail},
		{"slack", p.AlertSlack},
		{"webhook", p.AlertWebhook},
	} {
		if c.target != "" {
			channels = append(channels, c.name)
		}
	}
	return strings.Join(channels, " ")
}

func suspended(p projects.Project) string {
	if p.Suspended {
		return colour.Bad.Render("suspended")
	}
	return ""
}

type projectSet struct {
	Name string `arg:"" help:"The project."`
	projectSettings
	RotateCallbackSecret bool          `help:"Create a callback secret and print it once. Older secrets also sign during the overlap."`
	Overlap              time.Duration `help:"How long older callback secrets also sign after a rotation." default:"24h"`
	cli.Operator
	JSON bool `help:"Print JSON."`
}

// Run changes a project.
func (c projectSet) Run(s *cli.Session) error {
	if c.settings() == (projects.Settings{}) && !c.RotateCallbackSecret {
		return cli.WithHint(
			&engine.FieldError{Field: "project set", Reason: "has nothing to change: pass at least one setting"},
			"spadmin project set --help lists the settings",
		)
	}
	st, _, done, err := s.Store()
	if err != nil {
		return err
	}
	defer done()
	project, err := st.Projects.Set(s.Context, c.Name, c.settings(), s.Allow, c.Actor())
	if err != nil {
		return advise(err)
	}
	secret := ""
	if c.RotateCallbackSecret {
		if secret, err = st.Projects.RotateCallbackSecret(s.Context, c.Name, c.Overlap, c.Actor()); err != nil {
			return err
		}
	}
	if err := c.remind(s, st); err != nil {
		return err
	}
	if c.JSON {
		return cli.SayJSON(s.Stdout, struct {
			projects.Project
			CallbackSecret string `json:"callback_secret,omitempty"`
		}{wire.NewProject(project), secret})
	}
	cli.Say(s.Stdout, "set %s", colour.Strong.Render(project.Name))
	sayAlertSecret(s, project)
	if secret != "" {
		saySecret(s, secret)
	}
	return nil
}

// remind warns when a project has a repair URL but no callback secret.
func (c projectSet) remind(s *cli.Session, st *rooms.Rooms) error {
	if c.RepairURL == nil || *c.RepairURL == "" {
		return nil
	}
	missing, err := st.Projects.CallbackSecretMissing(s.Context, c.Name)
	if missing {
		_, _ = fmt.Fprintf(
			s.Stderr,
			"hint: this project has no callback secret, so it cannot send callbacks: "+
				"create one with spadmin project set %s --rotate-callback-secret\n",
			c.Name,
		)
	}
	return err
}

// advise adds a hint to an error about a project's settings.
func advise(err error) error {
	var field *engine.FieldError
	switch {
	case errors.Is(err, engine.ErrNotFound):
		return cli.WithHint(err, "spadmin project list prints the names")
	case errors.As(err, &field) && slices.Contains([]string{"repair_url", "alert_slack", "alert_webhook"}, field.Field):
		return cli.WithHint(err, "for a test on this machine: --allow-networks 127.0.0.0/8")
	case errors.As(err, &field) && field.Field == "snapshots":
		return cli.WithHint(err, "create a key with openssl rand -base64 32; every engine needs the same key")
	}
	return err
}
