package main

import (
	"github.com/sendpromptly/sendpromptly/cmd/spadmin/cli"
	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/wire"
)

type reprocessCommand struct {
	ID string `arg:"" help:"The incident."`
	cli.Operator
	JSON bool `help:"Print JSON."`
}

// Run requests a repair from the app. A running engine sends the callback.
func (c reprocessCommand) Run(s *cli.Session) error {
	_, e, done, err := s.EngineOf(c.ID)
	if err != nil {
		return err
	}
	defer done()
	attempt, err := e.Reprocess(s.Context, engine.IncidentID(c.ID), c.Actor())
	if err != nil {
		return err
	}
	if c.JSON {
		return cli.SayJSON(s.Stdout, wire.Acted{
			ID:          string(attempt.IncidentID),
			State:       string(engine.StateReprocessing),
			Revision:    attempt.Revision,
			Attempt:     attempt.Number,
			ReplayID:    attempt.ReplayID,
			RequestedAt: wire.At(attempt.RequestedAt),
			DueAt:       wire.At(attempt.DueAt),
		})
	}
	cli.Say(s.Stdout, "attempt %d must end by %s; a running engine sends the callback", attempt.Number, cli.Moment(attempt.DueAt))
	return nil
}

type stopCommand struct {
	ID string `arg:"" help:"The incident."`
	cli.Operator
	JSON bool `help:"Print JSON."`
}

// Run stops the current attempt.
func (c stopCommand) Run(s *cli.Session) error {
	_, e, done, err := s.EngineOf(c.ID)
	if err != nil {
		return err
	}
	defer done()
	if _, err := e.Stop(s.Context, engine.IncidentID(c.ID), c.Actor()); err != nil {
		return err
	}
	return sayState(s, e, c.ID, c.JSON)
}

type closeCommand struct {
	ID   string `arg:"" help:"The incident."`
	Note string `help:"Why no repair is needed." required:"" placeholder:"TEXT"`
	cli.Operator
	JSON bool `help:"Print JSON."`
}

// Run closes an incident.
func (c closeCommand) Run(s *cli.Session) error {
	_, e, done, err := s.EngineOf(c.ID)
	if err != nil {
		return err
	}
	defer done()
	if err := e.CloseIncident(s.Context, engine.IncidentID(c.ID), c.Actor(), c.Note); err != nil {
		return err
	}
	return sayState(s, e, c.ID, c.JSON)
}

type reopenCommand struct {
	ID   string `arg:"" help:"The incident."`
	Note string `help:"Why you reopen it." required:"" placeholder:"TEXT"`
	cli.Operator
	JSON bool `help:"Print JSON."`
}

// Run reopens a closed incident.
func (c reopenCommand) Run(s *cli.Session) error {
	_, e, done, err := s.EngineOf(c.ID)
	if err != nil {
		return err
	}
	defer done()
	if _, err := e.Reopen(s.Context, engine.IncidentID(c.ID), c.Actor(), c.Note); err != nil {
		return err
	}
	return sayState(s, e, c.ID, c.JSON)
}

// sayState prints the incident's state after an action.
func sayState(s *cli.Session, e *engine.Engine, id string, asJSON bool) error {
	i, err := e.Incident(s.Context, engine.IncidentID(id))
	if err != nil {
		return err
	}
	if asJSON {
		state, resolution := wire.IncidentState(i)
		return cli.SayJSON(s.Stdout, wire.Acted{ID: id, State: state, Resolution: resolution, Revision: i.Revision})
	}
	cli.Say(s.Stdout, "%s is %s", id, cli.IncidentState(i))
	return nil
}
