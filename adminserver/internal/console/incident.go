package console

import (
	"net/http"
	"strings"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/actions"
	"github.com/sendpromptly/sendpromptly/internal/store/incidents"
)

// incidentPage is everything about one incident.
type incidentPage struct {
	engine.Incident
	Story    story
	Next     next
	Moments  []moment
	More     bool
	Attempts []incidents.AttemptHistory
	Related  []incidents.RelatedEffect
	// Against are later effects that conflict with a repair.
	Against []incidents.RelatedEffect
	// Proofs are the issued proofs; CanShare says whether there is a key to sign another.
	Proofs   []issued
	CanShare bool
	// RepairURL says whether the project has a repair URL.
	RepairURL bool
	// Form is the refused action and Typed the text of its form, so that nothing is lost.
	Typed, Form string
}

// Shown is the incident's state as the page shows it.
func (p incidentPage) Shown() string { return shown(p.Incident) }

// CanReprocess says whether the state allows it.
func (p incidentPage) CanReprocess() bool {
	return p.RepairURL && (p.State == engine.StateFailed || p.State == engine.StateMissing || p.State == engine.StateClosed)
}

// CanClose says whether the state allows it.
func (p incidentPage) CanClose() bool {
	return p.State == engine.StateFailed || p.State == engine.StateMissing
}

// CanReopen says whether the state allows it.
func (p incidentPage) CanReopen() bool { return p.State == engine.StateClosed }

// CanStop says whether an attempt is in flight.
func (p incidentPage) CanStop() bool { return p.State == engine.StateReprocessing }

// CanTryNow says whether a callback waits for its time.
func (p incidentPage) CanTryNow() bool {
	return p.CanStop() && len(p.Attempts) > 0 && !p.Attempts[0].NextAt.IsZero()
}

// NotesTyped says that the note form shows the typed text: that form was refused, or the refused form is no
// longer on the page.
func (p incidentPage) NotesTyped() bool {
	switch p.Form {
	case actions.Close:
		return p.Typed != "" && !p.CanClose()
	case actions.Reopen:
		return p.Typed != "" && !p.CanReopen()
	}
	return p.Form == actions.Note
}

// incident shows one incident.
func (c *console) incident(v *visit) error {
	incident, err := v.locate(engine.IncidentID(v.r.PathValue("id")))
	if err != nil {
		return err
	}
	return v.showIncident(http.StatusOK, incident, incidentPage{}, "")
}

// showIncident renders the page, with the content of a refused form.
func (v *visit) showIncident(status int, incident engine.Incident, data incidentPage, problem string) error {
	project, err := v.Projects.Get(v.ctx(), v.project)
	if err != nil {
		return err
	}
	if data.Moments, data.More, err = v.moments(incident.EffectID); err != nil {
		return err
	}
	if data.Attempts, err = v.Incidents.Attempts(v.ctx(), v.project, incident.ID); err != nil {
		return err
	}
	if data.Related, err = v.Incidents.Effects.Related(v.ctx(), v.project, incident.EffectID); err != nil {
		return err
	}
	if data.Proofs, err = v.proofsOf(incident.ID); err != nil {
		return err
	}
	data.CanShare = v.Deps.Proofs != nil
	data.Incident, data.RepairURL = incident, project.RepairURL != ""
	if incident.State != engine.StateApplied {
		data.Against = contradicting(incident.Effect, data.Related)
	}
	data.Story = tell(incident.Acceptance, incident.State, incident.Cause, incident.ErrorMessage)
	data.Next = whatNext(incident, data.Attempts, data.RepairURL)
	return v.render(status, "incident", page{
		Title: strings.TrimSpace(data.Story.Who + " " + incident.Effect), Nav: "Incidents", Live: true,
		Only: string(incident.ID), Problem: problem, Data: data,
	})
}
