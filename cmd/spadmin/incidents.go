package main

import (
	"strings"

	"github.com/sendpromptly/sendpromptly/cmd/spadmin/colour"
	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/currency"
	"github.com/sendpromptly/sendpromptly/internal/wire"
)

type incidentsCommand struct {
	Project   string `help:"The project." default:"default"`
	All       bool   `help:"Also those that are resolved or closed."`
	State     string `help:"Only this state." enum:",failed,missing,reprocessing,resolved,closed" default:"" placeholder:"STATE"`
	Cause     string `help:"Only this cause: failed or missing." enum:",failed,missing" default:"" placeholder:"CAUSE"`
	Provider  string `help:"Only this provider." placeholder:"NAME"`
	EventType string `help:"Only this event type." placeholder:"TYPE"`
	Effect    string `help:"Only this effect type." placeholder:"TYPE"`
	Term      string `help:"Only this subject, customer, source event or object id: invoice, order number …" placeholder:"ID"`
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
	page, err := e.Incidents(s.ctx, engine.IncidentFilter{
		Open:      !c.All && c.State == "",
		State:     wire.State(c.State),
		Cause:     engine.Cause(c.Cause),
		Provider:  c.Provider,
		EventType: c.EventType,
		Effect:    c.Effect,
		Term:      c.Term,
		Before:    engine.IncidentID(c.Before),
		Limit:     c.Limit,
	})
	if err != nil {
		return err
	}
	if c.JSON {
		return sayJSON(s.stdout, wire.NewIncidentPage(c.Project, page))
	}
	if len(page.Incidents) == 0 && page.Next == "" {
		say(s.stdout, "no incidents")
		return nil
	}
	var rows [][]string
	for _, i := range page.Incidents {
		rows = append(rows, []string{
			string(i.ID), incidentState(i), string(i.Cause), i.Provider, printable(i.EventType), printable(i.Effect),
			printable(i.Subject), money(i.Amount), moment(i.OpenedAt),
		})
	}
	if len(rows) == 0 { // one page looks at so many, and none of them fits
		say(s.stdout, "none among the 10,000 incidents that were looked at")
	} else {
		sayTable(s.stdout, []string{"INCIDENT", "STATE", "CAUSE", "PROVIDER", "EVENT", "EFFECT", "SUBJECT", "AMOUNT", "OPENED"}, rows)
	}
	if page.Next != "" {
		say(s.stdout, "%s", colour.Quiet.Render("more: --before "+string(page.Next)))
	}
	return nil
}

// money writes an amount with the decimals of its currency, as the customer
// knows it. JSON has the minor units.
func money(m engine.Money) string {
	if !m.Known() {
		return ""
	}
	return printable(strings.TrimSpace(currency.Format(m.Minor, m.Currency) + " " + m.Currency))
}
