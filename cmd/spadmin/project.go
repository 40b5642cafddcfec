package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sendpromptly/sendpromptly/cmd/spadmin/colour"
	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/store/projects"
	"github.com/sendpromptly/sendpromptly/internal/store/rooms"
	"github.com/sendpromptly/sendpromptly/internal/wire"
)

type projectCommand struct {
	Create projectCreate `cmd:"" help:"Create a project and print its callback secret, once."`
	List   projectList   `cmd:"" help:"List the projects."`
	Set    projectSet    `cmd:"" help:"Change a project."`
}

// projectSettings are the flags that create and set share.
type projectSettings struct {
	Mode              *string        `help:"test, live, or empty for none." placeholder:"MODE"`
	Timeout           *time.Duration `help:"How long an outcome may take, 1s to 720h." placeholder:"30m"`
	RepairURL         *string        `name:"repair-url" help:"Where Reprocess calls the app back." placeholder:"URL"`
	PublicName        *string        `help:"The name that heads what a customer is shown." placeholder:"NAME"`
	SupportContact    *string        `help:"Where a customer may ask." placeholder:"CONTACT"`
	SignaturePrefix   *bool          `help:"Write v1= before the callback's signature." negatable:""`
	Snapshots         *bool          `help:"Keep payloads, encrypted, for 30 days." negatable:""`
	Suspended         *bool          `help:"Have the ingest API turn the project's keys away." negatable:""`
	AlertEmail        *string        `help:"Who is mailed about incidents: addresses, separated by commas." placeholder:"ADDRESSES"`
	AlertSlack        *string        `help:"An incoming webhook of Slack that is told about incidents." placeholder:"URL"`
	AlertWebhook      *string        `help:"A webhook of your own that is told about incidents. Its signing secret is printed once." placeholder:"URL"`
	AlertAfterFailed  *time.Duration `help:"How long a failed effect may take to recover before anybody is alerted." placeholder:"2m"`
	AlertAfterMissing *time.Duration `help:"The same for a missing one." placeholder:"0s"`
	Retention         *time.Duration `help:"How long settled effects are kept, 840h (35 days) at least; 0s keeps them for ever." placeholder:"0s"`
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
	Name string `arg:"" help:"1 to 63 of a-z, 0-9, _ and -."`
	projectSettings
	operator
	JSON bool `help:"Print JSON."`
}

// Run creates a project.
func (c projectCreate) Run(s *session) error {
	st, _, done, err := s.store()
	if err != nil {
		return err
	}
	defer done()
	project, secret, err := st.Projects.Create(s.ctx, c.Name, c.settings(), s.allow, c.name())
	if err != nil {
		return advise(err)
	}
	if c.JSON {
		return sayJSON(s.stdout, wire.ProjectWithSecret{Project: wire.NewProject(project), CallbackSecret: secret})
	}
	say(s.stdout, "created %s (%s)", colour.Strong.Render(project.Name), project.ID)
	saySecret(s, secret)
	sayAlertSecret(s, project)
	return nil
}

func sayAlertSecret(s *session, project projects.Project) {
	if project.AlertWebhookSecret != "" {
		say(s.stdout, "secret of the alert webhook, shown once: %s", colour.Strong.Render(project.AlertWebhookSecret))
	}
}

func saySecret(s *session, secret string) {
	say(s.stdout, "callback secret, shown once: %s", colour.Strong.Render(secret))
}

type projectList struct {
	JSON bool `help:"Print JSON."`
}

// Run lists the projects.
func (c projectList) Run(s *session) error {
	st, _, done, err := s.store()
	if err != nil {
		return err
	}
	defer done()
	projects, err := st.Projects.List(s.ctx)
	if err != nil {
		return err
	}
	if c.JSON {
		return sayJSON(s.stdout, wire.Projects{Projects: wire.List(projects, wire.NewProject)})
	}
	var rows [][]string
	for _, p := range projects {
		rows = append(
			rows,
			[]string{
				p.Name,
				p.Mode,
				p.Timeout.String(),
				printable(p.RepairURL),
				printable(p.PublicName),
				printable(p.SupportContact),
				alertsOf(p),
				suspended(p),
			},
		)
	}
	sayTable(s.stdout, []string{"NAME", "MODE", "TIMEOUT", "REPAIR URL", "PUBLIC NAME", "SUPPORT", "ALERTS", ""}, rows)
	return nil
}

// alertsOf says by which channels a project's alerts go out.
func alertsOf(p projects.Project) string {
	var channels []string
	for _, c := range []struct{ name, target string }{{"email", p.AlertEmail}, {"slack", p.AlertSlack}, {"webhook", p.AlertWebhook}} {
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
	RotateCallbackSecret bool          `help:"Make a new callback secret and print it, once. Older ones sign along for the overlap."`
	Overlap              time.Duration `help:"How long older callback secrets sign along after a rotation." default:"24h"`
	operator
	JSON bool `help:"Print JSON."`
}

// Run changes a project.
func (c projectSet) Run(s *session) error {
	if c.settings() == (projects.Settings{}) && !c.RotateCallbackSecret {
		return hint{
			&engine.FieldError{Field: "project set", Reason: "was told nothing to change"},
			"spadmin project set --help lists the settings",
		}
	}
	st, _, done, err := s.store()
	if err != nil {
		return err
	}
	defer done()
	project, err := st.Projects.Set(s.ctx, c.Name, c.settings(), s.allow, c.name())
	if err != nil {
		return advise(err)
	}
	secret := ""
	if c.RotateCallbackSecret {
		if secret, err = st.Projects.RotateCallbackSecret(s.ctx, c.Name, c.Overlap, c.name()); err != nil {
			return err
		}
	}
	if err := c.remind(s, st); err != nil {
		return err
	}
	if c.JSON {
		return sayJSON(s.stdout, struct {
			projects.Project
			CallbackSecret string `json:"callback_secret,omitempty"`
		}{wire.NewProject(project), secret})
	}
	say(s.stdout, "set %s", colour.Strong.Render(project.Name))
	sayAlertSecret(s, project)
	if secret != "" {
		saySecret(s, secret)
	}
	return nil
}

// remind says what is missing where callbacks were given somewhere to go.
func (c projectSet) remind(s *session, st *rooms.Rooms) error {
	if c.RepairURL == nil || *c.RepairURL == "" {
		return nil
	}
	missing, err := st.Projects.CallbackSecretMissing(s.ctx, c.Name)
	if missing {
		_, _ = fmt.Fprintf(
			s.stderr,
			"hint: this project has no callback secret, so that nothing can be sent: spadmin project set %s --rotate-callback-secret makes one\n",
			c.Name,
		)
	}
	return err
}

// advise adds a hint to what a project's settings are refused for.
func advise(err error) error {
	var field *engine.FieldError
	switch {
	case errors.Is(err, engine.ErrNotFound):
		return hint{err, "spadmin project list shows the names"}
	case errors.As(err, &field) && slices.Contains([]string{"repair_url", "alert_slack", "alert_webhook"}, field.Field):
		return hint{err, "for a test on this machine: --allow-networks 127.0.0.0/8"}
	case errors.As(err, &field) && field.Field == "snapshots":
		return hint{err, "openssl rand -base64 32 makes a key; every engine needs the same one"}
	}
	return err
}
