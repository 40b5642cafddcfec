package main

import (
	"github.com/sendpromptly/sendpromptly/engine"
)

type reprocessCommand struct {
	ID string `arg:"" help:"The incident."`
	operator
	JSON bool `help:"Print JSON."`
}

// Run asks the app to repair. A running engine delivers the callback.
func (c reprocessCommand) Run(s *session) error {
	e, done, err := s.engineOf(c.ID)
	if err != nil {
		return err
	}
	defer done()
	attempt, err := e.Reprocess(s.ctx, engine.IncidentID(c.ID), c.name())
	if err != nil {
		return err
	}
	if c.JSON {
		return sayJSON(s.stdout, map[string]any{"incident_id": attempt.IncidentID, "replay_id": attempt.ReplayID, "attempt": attempt.Number,
			"requested_at": attempt.RequestedAt, "due_at": attempt.DueAt})
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
	e, done, err := s.engineOf(c.ID)
	if err != nil {
		return err
	}
	defer done()
	state, err := e.Stop(s.ctx, engine.IncidentID(c.ID), c.name())
	if err != nil {
		return err
	}
	return sayState(s, c.JSON, c.ID, state)
}

type closeCommand struct {
	ID   string `arg:"" help:"The incident."`
	Note string `help:"Why no repair is needed." required:"" placeholder:"TEXT"`
	operator
	JSON bool `help:"Print JSON."`
}

// Run puts an incident away.
func (c closeCommand) Run(s *session) error {
	e, done, err := s.engineOf(c.ID)
	if err != nil {
		return err
	}
	defer done()
	if err := e.CloseIncident(s.ctx, engine.IncidentID(c.ID), c.name(), c.Note); err != nil {
		return err
	}
	return sayState(s, c.JSON, c.ID, engine.StateClosed)
}

// sayState prints what an action led to.
func sayState(s *session, asJSON bool, id string, state engine.State) error {
	if asJSON {
		return sayJSON(s.stdout, map[string]any{"id": id, "state": state})
	}
	say(s.stdout, "%s is %s", id, stateStyle(state))
	return nil
}
