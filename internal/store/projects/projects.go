// Package projects manages projects: their settings and callback secrets, their alert destinations
// and messages, and the audit log.
package projects

import (
	"context"
	"errors"
	"net/netip"
	"regexp"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/callback"
	"github.com/sendpromptly/sendpromptly/internal/dbsqlc"
	"github.com/sendpromptly/sendpromptly/internal/guardedhttp"
	"github.com/sendpromptly/sendpromptly/internal/input"
	"github.com/sendpromptly/sendpromptly/internal/pg"
	"github.com/sendpromptly/sendpromptly/internal/retention"
	"github.com/sendpromptly/sendpromptly/internal/secretbox"
	"github.com/sendpromptly/sendpromptly/internal/store"
)

// Projects are all projects of a database.
type Projects struct {
	db *store.DB
	// Alerts are the messages about incidents.
	Alerts *Alerts
	// Audit is the audit log of operators' actions outside of timelines.
	Audit *AuditLog
}

// New opens the room.
func New(db *store.DB) *Projects {
	p := &Projects{db: db, Alerts: &Alerts{db: db}}
	p.Audit = &AuditLog{db: db, projects: p}
	return p
}

// Project is one payment flow's settings.
type Project struct {
	ID              string        `json:"id"`
	Name            string        `json:"name"`
	Mode            string        `json:"mode,omitempty"`
	Timeout         time.Duration `json:"-"`
	TimeoutSeconds  float64       `json:"timeout_seconds"`
	RepairURL       string        `json:"repair_url,omitempty"`
	SignaturePrefix bool          `json:"signature_prefix"`
	PublicName      string        `json:"public_name,omitempty"`
	SupportContact  string        `json:"support_contact,omitempty"`
	Snapshots       bool          `json:"snapshots"`
	// Suspended makes the ingest API refuse the project's requests; nothing else changes.
	Suspended bool      `json:"suspended"`
	CreatedAt time.Time `json:"created_at"`
	// AlertAfterFailed and AlertAfterMissing are how many seconds an incident may be open before an
	// alert is sent.
	AlertAfterFailed  float64 `json:"alert_after_failed_seconds"`
	AlertAfterMissing float64 `json:"alert_after_missing_seconds"`
	// AlertEmail has the addresses for alerts, separated by commas. AlertSlack and AlertWebhook
	// have only the hosts of the URLs, which may be secrets. Empty means no alerts on this channel.
	AlertEmail   string `json:"alert_email,omitempty"`
	AlertSlack   string `json:"alert_slack,omitempty"`
	AlertWebhook string `json:"alert_webhook,omitempty"`
	// AlertWebhookSecret is set only in the answer to the change that created it.
	AlertWebhookSecret string `json:"alert_webhook_secret,omitempty"`
	// Retention is how long settled effects are kept; 0 is forever.
	Retention        time.Duration `json:"-"`
	RetentionSeconds float64       `json:"retention_seconds"`
}

// Settings are changes to a project. nil keeps a setting, and a pointer to "" clears it.
type Settings struct {
	// Mode is "test", "live" or "" for none.
	Mode *string
	// Timeout is 1 second to 30 days.
	Timeout *time.Duration
	// RepairURL is an absolute https URL, or http within an allowed network.
	RepairURL *string
	// SignaturePrefix writes v1= before the callback's signature.
	SignaturePrefix *bool
	// PublicName and SupportContact are shown to customers on proof pages. At most 255 bytes.
	PublicName, SupportContact *string
	// Snapshots stores payloads, encrypted, for 30 days. It needs the secret key.
	Snapshots *bool
	// Suspended makes the ingest API refuse the project's keys.
	Suspended *bool
	// AlertAfterFailed and AlertAfterMissing are 0 to 7 days.
	AlertAfterFailed, AlertAfterMissing *time.Duration
	// AlertEmail is a list of at most 20 addresses, separated by commas.
	AlertEmail *string
	// AlertSlack is the URL of a Slack incoming webhook. AlertWebhook is any other URL; requests to
	// it are signed. Both are stored encrypted.
	AlertSlack, AlertWebhook *string
	// Retention is at least 35 days; 0 keeps settled effects forever.
	Retention *time.Duration
}

var (
	projectName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)
	modes       = map[string]bool{"": true, "test": true, "live": true}
)

// Create adds a project and returns its new callback secret, which is not shown again. allow are
// the private networks that URLs may name; by is recorded in the audit log. An invalid or taken
// name, or an invalid setting, returns a [*engine.FieldError].
func (p *Projects) Create(
	ctx context.Context,
	name string,
	settings Settings,
	allow []netip.Prefix,
	by engine.Operator,
) (Project, string, error) {
	if !projectName.MatchString(name) {
		return Project{}, "", &engine.FieldError{
			Field:  "name",
			Reason: "must be 1 to 63 characters of a-z, 0-9, _ and -, starting with a letter or digit",
		}
	}
	if err := p.checkSettings(settings, allow); err != nil {
		return Project{}, "", err
	}
	secret, alertSecret := callback.NewSecret(), ""
	err := p.db.InTx(ctx, func(tx pgx.Tx) error {
		row, err := p.db.Queries.ProjectCreate(ctx, tx, name)
		if errors.Is(err, pgx.ErrNoRows) {
			return &engine.FieldError{Field: "name", Reason: "is taken by another project"}
		}
		if err != nil {
			return err
		}
		if err := p.addSecret(ctx, tx, row.ProjectID, secret); err != nil {
			return err
		}
		alertSecret, err = p.set(ctx, tx, row.ProjectID, name, settings, "project.create", by)
		return err
	})
	if err != nil {
		return Project{}, "", err
	}
	project, err := p.Get(ctx, name)
	project.AlertWebhookSecret = alertSecret
	return project, secret, err
}

// Set changes the settings that are not nil, in one transaction, and returns the changed project.
// The signing secret of a new alert webhook is included only in this answer. allow and by are as in
// [Projects.Create]. An invalid setting returns a [*engine.FieldError], an unknown project
// [engine.ErrNotFound].
func (p *Projects) Set(
	ctx context.Context,
	name string,
	settings Settings,
	allow []netip.Prefix,
	by engine.Operator,
) (Project, error) {
	if err := p.checkSettings(settings, allow); err != nil {
		return Project{}, err
	}
	id, err := p.ID(ctx, name)
	if err != nil {
		return Project{}, err
	}
	alertSecret := ""
	err = p.db.InTx(ctx, func(tx pgx.Tx) (err error) {
		alertSecret, err = p.set(ctx, tx, id, name, settings, "project.set", by)
		return err
	})
	if err != nil {
		return Project{}, err
	}
	project, err := p.Get(ctx, name)
	project.AlertWebhookSecret = alertSecret
	return project, err
}

// CallbackSecretMissing reports whether a project has no callback secret. It is false if this
// database role may not read secrets.
func (p *Projects) CallbackSecretMissing(ctx context.Context, name string) (bool, error) {
	readable, err := p.db.Queries.SecretsReadable(ctx, p.db.Pool)
	if err != nil || !readable {
		return false, err
	}
	id, err := p.ID(ctx, name)
	if err != nil {
		return false, err
	}
	return p.db.Queries.CallbackSecretMissing(ctx, p.db.Pool, id)
}

// RotateCallbackSecret creates and returns a new secret, which is not shown again. It signs
// together with the older ones, which retire after the overlap.
func (p *Projects) RotateCallbackSecret(
	ctx context.Context,
	name string,
	overlap time.Duration,
	by engine.Operator,
) (string, error) {
	if overlap < 0 || overlap > 90*24*time.Hour {
		return "", &engine.FieldError{Field: "overlap", Reason: "must be between 0 and 90 days"}
	}
	id, err := p.ID(ctx, name)
	if err != nil {
		return "", err
	}
	secret := callback.NewSecret()
	err = p.db.InTx(ctx, func(tx pgx.Tx) error {
		if err := p.addSecret(ctx, tx, id, secret); err != nil {
			return err
		}
		retire := dbsqlc.CallbackSecretRetireOthersParams{Overlap: pg.Interval(overlap), ProjectID: id}
		if err := p.db.Queries.CallbackSecretRetireOthers(ctx, tx, retire); err != nil {
			return err
		}
		return p.enter(ctx, tx, id, name, "project.rotate_callback_secret", by)
	})
	return secret, err
}

// Get reads one project by its name, or [engine.ErrNotFound].
func (p *Projects) Get(ctx context.Context, name string) (Project, error) {
	row, err := p.projectRow(ctx, name)
	if err != nil {
		return Project{}, err
	}
	project := newProject(row)
	err = p.showDestinations(ctx, map[int]*Project{row.Project.ProjectID: &project})
	return project, err
}

// List reads all projects by name.
func (p *Projects) List(ctx context.Context) ([]Project, error) {
	rows, err := p.db.Queries.ProjectList(ctx, p.db.Pool)
	if err != nil {
		return nil, err
	}
	projects, byID := make([]Project, len(rows)), map[int]*Project{}
	for i, row := range rows {
		projects[i] = newProject(dbsqlc.ProjectGetRow(row))
		byID[row.Project.ProjectID] = &projects[i]
	}
	return projects, p.showDestinations(ctx, byID)
}

// ID returns a project's number in the database, or [engine.ErrNotFound].
func (p *Projects) ID(ctx context.Context, name string) (int, error) {
	row, err := p.projectRow(ctx, name)
	return row.Project.ProjectID, err
}

// projectRow reads a project. An invalid name is not found.
func (p *Projects) projectRow(ctx context.Context, name string) (dbsqlc.ProjectGetRow, error) {
	if input.Text(name, input.NameLimit) != "" {
		return dbsqlc.ProjectGetRow{}, store.NotFound("project")
	}
	row, err := p.db.Queries.ProjectGet(ctx, p.db.Pool, name)
	if errors.Is(err, pgx.ErrNoRows) {
		err = store.NotFound("project %q", name)
	}
	return row, err
}

// set writes settings, the change and the audit entry. It returns the secret of a new alert
// webhook.
func (p *Projects) set(
	ctx context.Context,
	tx pgx.Tx,
	id int,
	name string,
	to Settings,
	action string,
	by engine.Operator,
) (alertSecret string, err error) {
	params := dbsqlc.ProjectSetParams{
		ProjectID:       id,
		Mode:            to.Mode,
		RepairUrl:       to.RepairURL,
		SignaturePrefix: to.SignaturePrefix,
		PublicName:      to.PublicName,
		SupportContact:  to.SupportContact,
		Snapshots:       to.Snapshots,
		Suspended:       to.Suspended,
		Timeout: interval(
			to.Timeout,
		),
		AlertAfterFailed:  interval(to.AlertAfterFailed),
		AlertAfterMissing: interval(to.AlertAfterMissing),
	}
	if params.Retention = interval(to.Retention); to.Retention != nil && *to.Retention == 0 {
		params.Retention = new(string) // empty: forever
	}
	if err := p.db.Queries.ProjectSet(ctx, tx, params); err != nil {
		return "", err
	}
	if alertSecret, err = p.setDestinations(ctx, tx, id, to); err != nil {
		return "", err
	}
	return alertSecret, p.enter(ctx, tx, id, name, action, by)
}

// enter adds to the change feed and the audit log.
func (p *Projects) enter(ctx context.Context, tx pgx.Tx, id int, name, action string, by engine.Operator) error {
	if err := p.db.Queries.SettingsChanged(ctx, tx, dbsqlc.SettingsChangedParams{What: action, ProjectID: id}); err != nil {
		return err
	}
	return p.Audit.Add(ctx, tx, id, by, action, name, "")
}

func (p *Projects) addSecret(ctx context.Context, tx pgx.Tx, projectID int, secret string) error {
	params := dbsqlc.CallbackSecretCreateParams{ProjectID: projectID, Secret: []byte(secret)}
	if p.db.Box != nil {
		params.Secret, params.Sealed = p.db.Box.Seal(params.Secret, secretbox.CallbackSecretOwner(projectID)), true
	}
	return p.db.Queries.CallbackSecretCreate(ctx, tx, params)
}

// checkSettings refuses invalid settings and names the field.
func (p *Projects) checkSettings(to Settings, allow []netip.Prefix) error {
	if to.Mode != nil && !modes[*to.Mode] {
		return &engine.FieldError{Field: "mode", Reason: "must be test, live or empty"}
	}
	if to.Timeout != nil && (*to.Timeout < time.Second || *to.Timeout > 30*24*time.Hour) {
		return &engine.FieldError{Field: "timeout", Reason: "must be between 1 second and 30 days"}
	}
	for field, after := range map[string]*time.Duration{
		"alert_after_failed":  to.AlertAfterFailed,
		"alert_after_missing": to.AlertAfterMissing,
	} {
		if after != nil && (*after < 0 || *after > 7*24*time.Hour) {
			return &engine.FieldError{Field: field, Reason: "must be between 0 and 7 days"}
		}
	}
	if to.Retention != nil && *to.Retention != 0 && (*to.Retention < retention.Least || *to.Retention > 100*366*24*time.Hour) {
		return &engine.FieldError{Field: "retention", Reason: "must be 0 (forever), or between 840h (35 days) and 100 years"}
	}
	if err := checkDestinations(to, allow); err != nil {
		return err
	}
	if to.RepairURL != nil && *to.RepairURL != "" {
		if err := guardedhttp.CheckURL(*to.RepairURL, allow); err != nil {
			return &engine.FieldError{Field: "repair_url", Reason: err.Error()}
		}
	}
	for field, text := range map[string]*string{"public_name": to.PublicName, "support_contact": to.SupportContact} {
		if text == nil {
			continue
		}
		if err := store.Invalid(field, input.Text(*text, input.NameLimit)); err != nil {
			return err
		}
	}
	if to.Snapshots != nil && *to.Snapshots && p.db.Box == nil {
		return &engine.FieldError{Field: "snapshots", Reason: "need SENDPROMPTLY_SECRET_KEY: payloads are stored only encrypted"}
	}
	return nil
}

func newProject(row dbsqlc.ProjectGetRow) Project {
	p := row.Project
	return Project{
		ID:                p.ID,
		Name:              p.Name,
		Mode:              pg.Value(p.Mode),
		Timeout:           pg.FromSeconds(row.TimeoutSeconds),
		TimeoutSeconds:    row.TimeoutSeconds,
		RepairURL:         pg.Value(p.RepairUrl),
		SignaturePrefix:   p.SignaturePrefix,
		PublicName:        pg.Value(p.PublicName),
		SupportContact:    pg.Value(p.SupportContact),
		Snapshots:         p.Snapshots,
		Suspended:         p.Suspended,
		CreatedAt:         p.CreatedAt,
		AlertAfterFailed:  row.AfterFailedSeconds,
		AlertAfterMissing: row.AfterMissingSeconds,
		Retention:         pg.FromSeconds(row.RetentionSeconds),
		RetentionSeconds:  row.RetentionSeconds,
	}
}

// interval is nil for a setting that stays as it is.
func interval(d *time.Duration) *string {
	if d == nil {
		return nil
	}
	text := pg.Interval(*d)
	return &text
}
