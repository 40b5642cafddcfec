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

// Run asks the app to repair. A running engine delivers the callback.
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
	say(s.stdout, "attempt %d is due by %s; a running engine calls the app back", attempt.Number, moment(attempt.DueAt))
	return nil
}

type stopCommand struct {
	ID string `arg:"" help:"The incident."`
	operator
	JSON bool `help:"Print JSON."`
}

// Run ends the attempt in flight.
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

// Run puts an incident away.
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
	Note string `help:"Why it is open again." required:"" placeholder:"TEXT"`
	operator
	JSON bool `help:"Print JSON."`
}

// Run takes a closed incident up again.
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

// sayState prints what an action led to.
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
