package projects

import (
	"context"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/callback"
	"github.com/sendpromptly/sendpromptly/internal/dbsqlc"
	"github.com/sendpromptly/sendpromptly/internal/pg"
	"github.com/sendpromptly/sendpromptly/internal/store"
)

// alertBatch is how many outbox rows one transaction takes.
const alertBatch = 1000

// Alerts are the alert messages of all projects.
type Alerts struct{ db *store.DB }

// AlertDelivery is one message to one destination, leased for a minute.
type AlertDelivery struct {
	// ID is the message's id, the same for all tries and destinations.
	ID      string
	Project string
	// Mode is the project's: test, live or "".
	Mode    string
	Channel string
	// Try counts from 1.
	Try int

	projectID int
	token     string
}

// AlertGroup counts the incidents of a message that have these fields in common.
type AlertGroup struct {
	Cause     engine.Cause
	Provider  string
	EventType string
	Effect    string
	Incidents int
	// First and Last are when the oldest and the newest opened.
	First, Last time.Time
}

// AlertIncident is one incident of a message, with only the fields that an alert may show.
type AlertIncident struct {
	ID        engine.IncidentID
	Cause     engine.Cause
	Provider  string
	EventType string
	Effect    string
	OpenedAt  time.Time
}

// AlertContent is the content of a message when it is sent.
type AlertContent struct {
	// Groups are the largest first, at most 1,000.
	Groups []AlertGroup
	// Incidents are the oldest, at most 100.
	Incidents []AlertIncident
}

// Count returns how many incidents the message is about.
func (c AlertContent) Count() int {
	n := 0
	for _, group := range c.Groups {
		n += group.Incidents
	}
	return n
}

// Gather turns due incidents in the outbox into messages, and returns how many incidents it read.
func (a *Alerts) Gather(ctx context.Context) (int, error) {
	for total := 0; ; {
		var taken int
		err := a.db.InTx(ctx, func(tx pgx.Tx) (err error) {
			taken, err = a.db.Queries.AlertGather(ctx, tx, alertBatch)
			return err
		})
		total += taken
		if err != nil || taken < alertBatch {
			return total, err
		}
	}
}

// Due leases at most limit due deliveries, one per destination.
func (a *Alerts) Due(ctx context.Context, limit int) ([]AlertDelivery, error) {
	var due []AlertDelivery
	err := a.db.InTx(ctx, func(tx pgx.Tx) error {
		rows, err := a.db.Queries.AlertClaim(ctx, tx, limit)
		for _, row := range rows {
			due = append(due, AlertDelivery{
				ID: row.AlertID, Project: row.Project, Mode: row.Mode, Channel: row.Channel, Try: row.Try,
				projectID: row.ProjectID, token: row.Token,
			})
		}
		return err
	})
	return due, err
}

// Content returns a message's current content: its incidents that are still open.
func (a *Alerts) Content(ctx context.Context, d AlertDelivery) (AlertContent, error) {
	var content AlertContent
	groups, err := a.db.Queries.AlertGroupList(ctx, a.db.Pool, dbsqlc.AlertGroupListParams{ProjectID: d.projectID, AlertID: d.ID})
	if err != nil {
		return content, err
	}
	for _, g := range groups {
		content.Groups = append(content.Groups, AlertGroup{
			Cause: engine.Cause(g.Cause), Provider: g.Provider, EventType: g.EventType, Effect: g.Effect,
			Incidents: g.Incidents, First: g.FirstAt, Last: g.LastAt,
		})
	}
	rows, err := a.db.Queries.AlertIncidentList(
		ctx,
		a.db.Pool,
		dbsqlc.AlertIncidentListParams{ProjectID: d.projectID, AlertID: d.ID, Page: 100},
	)
	for _, row := range rows {
		content.Incidents = append(content.Incidents, AlertIncident{
			ID: engine.IncidentID(row.IncidentID), Cause: engine.Cause(row.Cause),
			Provider: row.Provider, EventType: row.EventType, Effect: row.Effect, OpenedAt: row.OpenedAt,
		})
	}
	return content, err
}

// AlertVerdict is the result of a delivery. The zero value means that the destination accepted it.
type AlertVerdict struct {
	// Problem says why the delivery failed. It is tried again after RetryIn, or never if that is
	// zero.
	Problem string
	RetryIn time.Duration
	// Dropped is true if there was nothing left to send.
	Dropped bool
}

// Mark records the result of a delivery. If its lease was lost, done is false and nothing changes.
func (a *Alerts) Mark(ctx context.Context, d AlertDelivery, o AlertVerdict) (done bool, err error) {
	params := dbsqlc.AlertCompleteParams{
		ProjectID: d.projectID,
		AlertID:   d.ID,
		Channel:   d.Channel,
		Token:     d.token,
		Error:     pg.Optional(o.Problem),
		Dropped:   o.Dropped,
	}
	if o.Problem != "" && o.RetryIn > 0 {
		params.RetryIn = interval(&o.RetryIn)
	}
	err = a.db.InTx(ctx, func(tx pgx.Tx) (err error) {
		done, err = a.db.Queries.AlertComplete(ctx, tx, params)
		return err
	})
	return done, err
}

// SignAlert signs a webhook as Standard Webhooks specifies. id is the message's id.
func SignAlert(secret, id string, at time.Time, body []byte) (http.Header, error) {
	return callback.StandardHeaders(secret, id, at, body)
}
