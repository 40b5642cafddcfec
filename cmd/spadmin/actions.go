package main

import (
	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/wire"
)

type reprocessCommand struct {
	ID string `arg:"" help:"The incident."`
	operator
	JSON bool `help:"Print JSON."`
}

// Run requests a repair from the app. A running engine sends the callback.
func (c reprocessCommand) Run(s *session) error {
	_, e, done, err := s.engineOf(c.ID)
	if err != nil {
		return err
	}
	defer done()
	attempt, err := e.Reprocess(s.ctx, engine.IncidentID(c.ID), c.name())
	if err != nil {
		return err
	}
	if c.JSON {
		return sayJSON(s.stdout, wire.Acted{
			ID:          string(attempt.IncidentID),
			State:       string(engine.StateReprocessing),
			Revision:    attempt.Revision,
			Attempt:     attempt.Number,
			ReplayID:    attempt.ReplayID,
			RequestedAt: wire.At(attempt.RequestedAt),
			DueAt:       wire.At(attempt.DueAt),
		})
	}
	say(s.stdout, "attempt %d must end by %s; a running engine sends the callback", attempt.Number, moment(attempt.DueAt))
	return nil
}

type stopCommand struct {
	ID string `arg:"" help:"The incident."`
	operator
	JSON bool `help:"Print JSON."`
}

// Run stops the current attempt.
func (c stopCommand) Run(s *session) error {
	_, e, done, err := s.engineOf(c.ID)
	if err != nil {
		return err
	}
	defer done()
	if _, err := e.Stop(s.ctx, engine.IncidentID(c.ID), c.name()); err != nil {
		return err
	}
	return sayState(s, e, c.ID, c.JSON)
}

type closeCommand struct {
	ID   string `arg:"" help:"The incident."`
	Note string `help:"Why no repair is needed." required:"" placeholder:"TEXT"`
	operator
	JSON bool `help:"Print JSON."`
}

// Run closes an incident.
func (c closeCommand) Run(s *session) error {
	_, e, done, err := s.engineOf(c.ID)
	if err != nil {
		return err
	}
	defer done()
	if err := e.CloseIncident(s.ctx, engine.IncidentID(c.ID), c.name(), c.Note); err != nil {
		return err
	}
	return sayState(s, e, c.ID, c.JSON)
}

type reopenCommand struct {
	ID   string `arg:"" help:"The incident."`
	Note string `help:"Why you reopen it." required:"" placeholder:"TEXT"`
	operator
	JSON bool `help:"Print JSON."`
}

// Run reopens a closed incident.
func (c reopenCommand) Run(s *session) error {
	_, e, done, err := s.engineOf(c.ID)
	if err != nil {
		return err
	}
	defer done()
	if _, err := e.Reopen(s.ctx, engine.IncidentID(c.ID), c.name(), c.Note); err != nil {
		return err
	}
	return sayState(s, e, c.ID, c.JSON)
}

// sayState prints the incident's state after an action.
func sayState(s *session, e *engine.Engine, id string, asJSON bool) error {
	i, err := e.Incident(s.ctx, engine.IncidentID(id))
	if err != nil {
		return err
	}
	if asJSON {
		state, resolution := wire.IncidentState(i)
		return sayJSON(s.stdout, wire.Acted{ID: id, State: state, Resolution: resolution, Revision: i.Revision})
	}
	say(s.stdout, "%s is %s", id, incidentState(i))
	return nil
}
