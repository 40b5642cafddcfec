package console

import (
	"errors"
	"net/http"
	"strings"

	"github.com/sendpromptly/sendpromptly/adminserver/internal/web"
	"github.com/sendpromptly/sendpromptly/engine"
)

// incidentPage is everything about one incident.
type incidentPage struct {
	engine.Incident
	Story    story
	Next     next
	Moments  []moment
	More     bool
	Attempts []attempt
	// RepairURL says that Reprocess has somewhere to go.
	RepairURL bool
	// Typed is the note that a refused form brought, so that nothing is lost;
	// Form is the form it was typed in.
	Typed, Form string
	// Changed says what is different from what the form was made of.
	Changed bool
}

// CanReprocess says whether the state allows it.
func (p incidentPage) CanReprocess() bool {
	return p.RepairURL && (p.State == engine.StateFailed || p.State == engine.StateMissing || p.State == engine.StateClosed)
}

// CanClose says whether the state allows it.
func (p incidentPage) CanClose() bool {
	return p.State == engine.StateFailed || p.State == engine.StateMissing
}

// CanStop says whether an attempt is in flight.
func (p incidentPage) CanStop() bool { return p.State == engine.StateReprocessing }

// incident shows one incident.
func (c *console) incident(v *visit) error {
	incident, err := v.locate(engine.IncidentID(v.r.PathValue("id")))
	if err != nil {
		return err
	}
	return v.showIncident(http.StatusOK, incident, incidentPage{}, "")
}

// showIncident renders the page, with what a refused form brought.
func (v *visit) showIncident(status int, incident engine.Incident, data incidentPage, problem string) error {
	project, err := v.Store.Project(v.ctx(), v.project)
	if err != nil {
		return err
	}
	entries, more, err := v.timeline(incident.EffectID)
	if err != nil {
		return err
	}
	data.Incident, data.RepairURL, data.More = incident, project.RepairURL != "", more
	data.Story = tell(incident.Acceptance, incident.State, incident.Cause, incident.ErrorMessage)
	data.Next = whatNext(incident, data.RepairURL)
	data.Moments, data.Attempts = draw(entries), attemptsOf(entries)
	return v.render(status, "incident", page{Title: strings.TrimSpace(data.Story.Who + " " + incident.Effect), Nav: "Incidents", Live: true,
		Only: string(incident.ID), Problem: problem, Data: data})
}

func init() {
	notices["reprocessed"] = "Reprocess is asked for. The callback goes out at once."
	notices["stopped"] = "The attempt is stopped."
	notices["closed"] = "The incident is closed."
	notices["noted"] = "The note is on the timeline."
}

func (c *console) reprocess(v *visit) error {
	return v.act("reprocess", "reprocessed", func(id engine.IncidentID) error {
		_, err := v.engine.Reprocess(v.ctx(), id, v.who.Actor())
		return err
	})
}

func (c *console) stop(v *visit) error {
	return v.act("stop", "stopped", func(id engine.IncidentID) error {
		_, err := v.engine.Stop(v.ctx(), id, v.who.Actor())
		return err
	})
}

func (c *console) close(v *visit) error {
	return v.act("close", "closed", func(id engine.IncidentID) error {
		return v.engine.Close(v.ctx(), id, v.who.Actor(), v.r.PostFormValue("note"))
	})
}

// act does what a form asks and goes back to the incident. Where it is refused,
// the page comes back as it is now, with what was typed.
func (v *visit) act(form, done string, do func(engine.IncidentID) error) error {
	incident, err := v.locate(engine.IncidentID(v.r.PathValue("id")))
	if err != nil {
		return err
	}
	err = do(incident.ID)
	if err == nil {
		v.redirect("/incidents/"+string(incident.ID), done, "")
		return nil
	}
	problem := web.Describe(err)
	var field *engine.FieldError
	if problem.Status != http.StatusConflict && !errors.As(err, &field) {
		return err
	}
	if incident, err = v.engine.Incident(v.ctx(), incident.ID); err != nil {
		return err
	}
	return v.showIncident(problem.Status, incident, incidentPage{Typed: v.r.PostFormValue("note"), Form: form}, "Nothing was done: "+problem.Detail+".")
}
