package wire

import (
	"time"

	"github.com/sendpromptly/sendpromptly/internal/store/incidents"
)

// Effect is a receipt and the state of its effect.
type Effect struct {
	Receipt
	State       string     `json:"state" enum:"awaiting,applied,failed,missing,reprocessing,closed"`
	SucceededAt *time.Time `json:"succeeded_at,omitempty" doc:"When the effect was first applied."`
	IncidentID  string     `json:"incident_id,omitempty" doc:"Absent if there was never an incident."`
}

// NewEffect is an effect of a project.
func NewEffect(project string, e incidents.Effect) Effect {
	return Effect{
		Receipt:     NewReceipt(project, e.ID, e.Acceptance, e.AcceptedAt, e.Deadline),
		State:       string(e.State),
		SucceededAt: At(e.SucceededAt),
		IncidentID:  string(e.Incident),
	}
}
