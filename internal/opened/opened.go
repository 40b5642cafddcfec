// Package opened warns in an app's log of incidents that have just opened. The
// code that recorded why they opened calls it after the commit: the engine's
// sweep, its Fail, and the ingest API.
package opened

import (
	"context"
	"encoding/json"
	"log/slog"

	"github.com/sendpromptly/sendpromptly/internal/caught"
)

const (
	saysOne  = "sendpromptly: an incident opened"
	saysMany = "sendpromptly: incidents opened"
)

// Most is how many incidents are told one by one. Of more, one line has the count.
const Most = 10

// Incidents are what opened.
type Incidents struct {
	// Missing counts those that a deadline opened, Failed those that a failure did.
	Missing, Failed int
	told            []incident
}

// incident is one of them in the JSON of told_incidents (sql/functions/incident.sql).
type incident struct {
	Project    string `json:"project"`
	IncidentID string `json:"incident_id"`
	EffectID   string `json:"effect_id"`
	Provider   string `json:"provider"`
	EventID    string `json:"event_id"`
	Effect     string `json:"effect"`
	Cause      string `json:"cause"`
}

// Hear adds what told_incidents says of a batch: nothing where none opened, or more than Most.
func (o *Incidents) Hear(told string) {
	if told == "" {
		return
	}
	var list []incident
	_ = json.Unmarshal([]byte(told), &list) // our own function wrote it
	o.told = append(o.told, list...)
}

// Failure is the incident that one failure opened, if it opened one.
func Failure(told string) (o Incidents) {
	o.Hear(told)
	o.Failed = len(o.told)
	return o
}

// Say warns of each incident, and in one line of more than Most.
func (o *Incidents) Say(ctx context.Context, logger *slog.Logger) {
	// A logger that panics must not undo what was done.
	_ = caught.Call(func() error {
		if n := o.Missing + o.Failed; n > Most {
			logger.WarnContext(ctx, saysMany, "opened", n, "missing", o.Missing, "failed", o.Failed)
			return nil
		}
		for _, i := range o.told {
			logger.WarnContext(ctx, saysOne, "project", i.Project, "incident_id", i.IncidentID, "effect_id", i.EffectID,
				"provider", i.Provider, "event_id", i.EventID, "effect", i.Effect, "cause", i.Cause)
		}
		return nil
	})
}
