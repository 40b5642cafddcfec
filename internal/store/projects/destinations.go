package projects

import (
	"context"
	"errors"
	"net/mail"
	"net/netip"
	"net/url"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/callback"
	"github.com/sendpromptly/sendpromptly/internal/dbsqlc"
	"github.com/sendpromptly/sendpromptly/internal/guardedhttp"
	"github.com/sendpromptly/sendpromptly/internal/secretbox"
)

// The channels of alerts.
const (
	AlertEmail   = "email"
	AlertSlack   = "slack"
	AlertWebhook = "webhook"
)

// maxAddresses is the most email addresses for one project's alerts.
const maxAddresses = 20

// Destination is where a project's alerts go on one channel. Target and Secret are secrets for the
// sender; Shown may be displayed.
type Destination struct {
	Channel string
	// Target is a list of addresses separated by commas, or a URL.
	Target string
	// Secret signs webhooks; it is empty for other channels.
	Secret string
	Shown  string
}

// Addresses are the recipients of a destination by email.
func (d Destination) Addresses() []string { return addresses(d.Target) }

// Destinations returns a project's alert destinations, or [engine.ErrNotFound].
func (p *Projects) Destinations(ctx context.Context, project string) ([]Destination, error) {
	id, err := p.ID(ctx, project)
	if err != nil {
		return nil, err
	}
	rows, err := p.db.Queries.AlertDestinationList(ctx, p.db.Pool, id)
	if err != nil {
		return nil, err
	}
	list := make([]Destination, len(rows))
	for i, row := range rows {
		if list[i], err = p.openDestination(row); err != nil {
			return nil, err
		}
	}
	return list, nil
}

var errSealedDestination = errors.New(
	"the alert destination cannot be decrypted: set SENDPROMPTLY_SECRET_KEY to the key that encrypted it",
)

func (p *Projects) openDestination(row dbsqlc.AlertDestination) (Destination, error) {
	d := Destination{Channel: row.Channel, Target: string(row.Target), Secret: string(row.Secret), Shown: row.Shown}
	if !row.Sealed {
		return d, nil
	}
	if p.db.Box == nil {
		return Destination{}, errSealedDestination
	}
	target, err := p.db.Box.Open(row.Target, secretbox.AlertOwner(row.ProjectID, row.Channel, "target"))
	if err != nil {
		return Destination{}, errSealedDestination
	}
	d.Target = string(target)
	if row.Secret != nil {
		secret, err := p.db.Box.Open(row.Secret, secretbox.AlertOwner(row.ProjectID, row.Channel, "secret"))
		if err != nil {
			return Destination{}, errSealedDestination
		}
		d.Secret = string(secret)
	}
	return d, nil
}

// setDestinations writes the destinations in the settings and returns the secret of a new webhook.
// A changed URL keeps the secret; clearing the URL and setting it again creates a new one.
func (p *Projects) setDestinations(ctx context.Context, tx pgx.Tx, projectID int, to Settings) (newSecret string, err error) {
	for _, d := range []struct {
		channel string
		target  *string
	}{{AlertEmail, to.AlertEmail}, {AlertSlack, to.AlertSlack}, {AlertWebhook, to.AlertWebhook}} {
		switch {
		case d.target == nil:
			continue
		case *d.target == "":
			err = p.db.Queries.AlertDestinationDelete(
				ctx,
				tx,
				dbsqlc.AlertDestinationDeleteParams{ProjectID: projectID, Channel: d.channel},
			)
		case d.channel == AlertWebhook:
			var secret string
			if secret, err = p.webhookSecret(ctx, tx, projectID); err == nil && secret == "" {
				newSecret = callback.NewSecret()
				secret = newSecret
			}
			if err == nil {
				err = p.setDestination(ctx, tx, projectID, d.channel, *d.target, secret)
			}
		default:
			err = p.setDestination(ctx, tx, projectID, d.channel, *d.target, "")
		}
		if err != nil {
			return "", err
		}
	}
	return newSecret, nil
}

// webhookSecret returns the existing secret of a project's webhook; "" if there is none, or if it
// cannot be decrypted.
func (p *Projects) webhookSecret(ctx context.Context, tx pgx.Tx, projectID int) (string, error) {
	rows, err := p.db.Queries.AlertDestinationList(ctx, tx, projectID)
	if err != nil {
		return "", err
	}
	for _, row := range rows {
		if row.Channel != AlertWebhook {
			continue
		}
		if d, err := p.openDestination(row); err == nil {
			return d.Secret, nil
		}
	}
	return "", nil
}

func (p *Projects) setDestination(ctx context.Context, tx pgx.Tx, projectID int, channel, target, secret string) error {
	params := dbsqlc.AlertDestinationSetParams{
		ProjectID: projectID,
		Channel:   channel,
		Target:    []byte(target),
		Shown:     shown(channel, target),
	}
	if secret != "" {
		params.Secret = []byte(secret)
	}
	if p.db.Box != nil {
		params.Sealed = true
		params.Target = p.db.Box.Seal(params.Target, secretbox.AlertOwner(projectID, channel, "target"))
		if secret != "" {
			params.Secret = p.db.Box.Seal(params.Secret, secretbox.AlertOwner(projectID, channel, "secret"))
		}
	}
	return p.db.Queries.AlertDestinationSet(ctx, tx, params)
}

// shown returns the addresses, or only the host of a URL, because its path may be a secret.
func shown(channel, target string) string {
	if channel == AlertEmail {
		return strings.Join(addresses(target), ", ")
	}
	if u, err := url.Parse(target); err == nil {
		return u.Host
	}
	return ""
}

// showDestinations fills in the part of the destinations that projects may show.
func (p *Projects) showDestinations(ctx context.Context, projects map[int]*Project) error {
	rows, err := p.db.Queries.AlertDestinationShown(ctx, p.db.Pool)
	for _, row := range rows {
		p, asked := projects[row.ProjectID]
		switch {
		case !asked:
		case row.Channel == AlertEmail:
			p.AlertEmail = row.Shown
		case row.Channel == AlertSlack:
			p.AlertSlack = row.Shown
		case row.Channel == AlertWebhook:
			p.AlertWebhook = row.Shown
		}
	}
	return err
}

func addresses(list string) []string {
	var all []string
	for address := range strings.SplitSeq(list, ",") {
		if address = strings.TrimSpace(address); address != "" {
			all = append(all, address)
		}
	}
	return all
}

// checkDestinations refuses invalid destinations.
func checkDestinations(to Settings, allow []netip.Prefix) error {
	if to.AlertEmail != nil && *to.AlertEmail != "" {
		all := addresses(*to.AlertEmail)
		if len(all) == 0 || len(all) > maxAddresses {
			return &engine.FieldError{Field: "alert_email", Reason: "must be 1 to 20 addresses, separated by commas"}
		}
		for _, address := range all {
			if parsed, err := mail.ParseAddress(address); err != nil || parsed.Address != address || len(address) > 254 {
				return &engine.FieldError{
					Field:  "alert_email",
					Reason: "has an entry that is not an address such as oncall@example.com",
				}
			}
		}
	}
	for field, target := range map[string]*string{"alert_slack": to.AlertSlack, "alert_webhook": to.AlertWebhook} {
		if target == nil || *target == "" {
			continue
		}
		if err := guardedhttp.CheckURL(*target, allow); err != nil {
			return &engine.FieldError{Field: field, Reason: err.Error()}
		}
	}
	return nil
}
