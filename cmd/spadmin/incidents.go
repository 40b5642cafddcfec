package main

import (
	"time"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/currency"
)

type incidentsCommand struct {
	Project   string `help:"The project." default:"default"`
	All       bool   `help:"Also those that are resolved or closed."`
	State     string `help:"Only this state." enum:",applied,failed,missing,reprocessing,closed" default:"" placeholder:"STATE"`
	Cause     string `help:"Only this cause: failed or missing." enum:",failed,missing" default:"" placeholder:"CAUSE"`
	Provider  string `help:"Only this provider." placeholder:"NAME"`
	EventType string `help:"Only this event type." placeholder:"TYPE"`
	Effect    string `help:"Only this effect type." placeholder:"TYPE"`
	Term      string `help:"Only this subject, customer or object id: invoice, charge, order number …" placeholder:"ID"`
	Before    string `help:"Go on after this incident: the last of the page before." placeholder:"ID"`
	Limit     int    `help:"How many, at most 500." default:"50"`
	JSON      bool   `help:"Print JSON."`
}

// Run lists incidents.
func (c incidentsCommand) Run(s *session) error {
	e, done, err := s.engine(c.Project)
	if err != nil {
		return err
	}
	defer done()
	page, err := e.Incidents(s.ctx, engine.IncidentFilter{Open: !c.All && c.State == "", State: engine.State(c.State), Cause: engine.Cause(c.Cause),
		Provider: c.Provider, EventType: c.EventType, Effect: c.Effect, Term: c.Term, Before: engine.IncidentID(c.Before), Limit: c.Limit})
	if err != nil {
		return err
	}
	if c.JSON {
		list := make([]incidentJSON, len(page.Incidents))
		for i, incident := range page.Incidents {
			list[i] = newIncidentJSON(incident)
		}
		return sayJSON(s.stdout, map[string]any{"incidents": list, "next": page.Next})
	}
	if len(page.Incidents) == 0 && page.Next == "" {
		say(s.stdout, "no incidents")
		return nil
	}
	var rows [][]string
	for _, i := range page.Incidents {
		rows = append(rows, []string{string(i.ID), stateStyle(i.State), string(i.Cause), i.Provider, printable(i.EventType), printable(i.Effect),
			printable(i.Subject), money(i.Amount), moment(i.OpenedAt)})
	}
	if len(rows) == 0 { // one page looks at so many, and none of them fits
		say(s.stdout, "none among the 10,000 incidents that were looked at")
	} else {
		sayTable(s.stdout, []string{"INCIDENT", "STATE", "CAUSE", "PROVIDER", "EVENT", "EFFECT", "SUBJECT", "AMOUNT", "OPENED"}, rows)
	}
	if page.Next != "" {
		say(s.stdout, "%s", quiet.Render("more: --before "+string(page.Next)))
	}
	return nil
}

// incidentJSON is an incident as the command line prints it.
type incidentJSON struct {
	ID              engine.IncidentID `json:"id"`
	EffectID        engine.EffectID   `json:"event_id"`
	State           engine.State      `json:"state"`
	Cause           engine.Cause      `json:"cause"`
	Provider        string            `json:"provider"`
	ProviderEventID string            `json:"provider_event_id"`
	EventType       string            `json:"event_type"`
	EffectType      string            `json:"effect_type"`
	Subject         string            `json:"internal_reference,omitempty"`
	Customer        string            `json:"customer,omitempty"`
	Shop            string            `json:"shop,omitempty"`
	Amount          *int64            `json:"amount,omitempty"`
	Currency        string            `json:"currency,omitempty"`
	Version         string            `json:"version,omitempty"`
	Objects         []string          `json:"objects,omitempty"`
	AcceptedAt      time.Time         `json:"accepted_at"`
	Deadline        time.Time         `json:"timeout_at"`
	OpenedAt        time.Time         `json:"opened_at"`
	DueAt           time.Time         `json:"due_at,omitzero"`
	ResolvedAt      time.Time         `json:"resolved_at,omitzero"`
	ClosedAt        time.Time         `json:"closed_at,omitzero"`
	ClosedBy        engine.Operator   `json:"closed_by,omitempty"`
	Note            string            `json:"note,omitempty"`
	Attempt         int               `json:"attempt"`
	ReplayID        string            `json:"replay_id,omitempty"`
	ErrorCode       string            `json:"error_code,omitempty"`
	ErrorMessage    string            `json:"error_message,omitempty"`
	Revision        int               `json:"revision"`
}

func newIncidentJSON(i engine.Incident) incidentJSON {
	j := incidentJSON{ID: i.ID, EffectID: i.EffectID, State: i.State, Cause: i.Cause, Provider: i.Provider, ProviderEventID: i.EventID,
		EventType: i.EventType, EffectType: i.Effect, Subject: i.Subject, Customer: i.Customer, Shop: i.Shop, Currency: i.Amount.Currency,
		Version: i.Acceptance.Version, Objects: i.Objects, AcceptedAt: i.AcceptedAt, Deadline: i.Deadline, OpenedAt: i.OpenedAt, DueAt: i.DueAt,
		ResolvedAt: i.ResolvedAt, ClosedAt: i.ClosedAt, ClosedBy: i.ClosedBy, Note: i.Note, Attempt: i.Attempt, ReplayID: i.ReplayID,
		ErrorCode: i.ErrorCode, ErrorMessage: i.ErrorMessage, Revision: i.Revision}
	if i.Amount != (engine.Money{}) {
		j.Amount = &i.Amount.Minor
	}
	return j
}

// money writes an amount with the decimals of its currency, as the customer
// knows it. JSON has the minor units.
func money(m engine.Money) string {
	if m == (engine.Money{}) {
		return ""
	}
	return printable(currency.Format(m.Minor, m.Currency) + " " + m.Currency)
}
