// Package opened logs a warning for incidents that have just opened. The engine's sweep, its Fail
// and the ingest API call it after their commit.
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

// Most is how many incidents are logged one by one. For more, one line has the count.
const Most = 10

// Incidents are the incidents that opened.
type Incidents struct {
	// Missing counts those opened by a deadline, Failed those opened by a failure.
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

// Hear adds the result of told_incidents for a batch: empty if none opened, or more than Most.
func (o *Incidents) Hear(told string) {
	if told == "" {
		return
	}
	var list []incident
	_ = json.Unmarshal([]byte(told), &list) // our own function wrote it
	o.told = append(o.told, list...)
}

// Failure returns the incident that one failure opened, if any.
func Failure(told string) (o Incidents) {
	o.Hear(told)
	o.Failed = len(o.told)
	return o
}

// Say logs each incident, or one line for more than Most.
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
