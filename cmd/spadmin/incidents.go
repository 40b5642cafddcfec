package main

import (
	"strings"

	"github.com/sendpromptly/sendpromptly/cmd/spadmin/cli"
	"github.com/sendpromptly/sendpromptly/cmd/spadmin/colour"
	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/currency"
	"github.com/sendpromptly/sendpromptly/internal/wire"
)

type incidentsCommand struct {
	Project   string `help:"The project." default:"default"`
	All       bool   `help:"List resolved and closed incidents too."`
	State     string `help:"List incidents in this state only." enum:",failed,missing,reprocessing,resolved,closed" default:"" placeholder:"STATE"`
	Cause     string `help:"List incidents with this cause only: failed or missing." enum:",failed,missing" default:"" placeholder:"CAUSE"`
	Provider  string `help:"List incidents of this provider only." placeholder:"NAME"`
	EventType string `help:"List incidents of this event type only." placeholder:"TYPE"`
	Effect    string `help:"List incidents of this effect type only." placeholder:"TYPE"`
	Term      string `help:"Match a whole reference, customer, source event, event id or object id, such as an order number." placeholder:"ID"`
	Before    string `help:"Continue after this incident, the last one of the previous page." placeholder:"ID"`
	Limit     int    `help:"Number of incidents, at most 500." default:"50"`
	JSON      bool   `help:"Print JSON."`
}

// Run lists incidents.
func (c incidentsCommand) Run(s *cli.Session) error {
	e, done, err := s.Engine(c.Project)
	if err != nil {
		return err
	}
	defer done()
	page, err := e.Incidents(s.Context, engine.IncidentFilter{
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
		return cli.SayJSON(s.Stdout, wire.NewIncidentPage(c.Project, page))
	}
	if len(page.Incidents) == 0 && page.Next == "" {
		cli.Say(s.Stdout, "no incidents")
		return nil
	}
	var rows [][]string
	for _, i := range page.Incidents {
		rows = append(rows, []string{
			string(i.ID), cli.IncidentState(i), string(i.Cause), i.Provider, cli.Printable(i.EventType), cli.Printable(i.Effect),
			cli.Printable(i.Subject), money(i.Amount), cli.Moment(i.OpenedAt),
		})
	}
	if len(rows) == 0 { // one page scans at most this many
		cli.Say(s.Stdout, "none of the last 10,000 incidents matches")
	} else {
		cli.SayTable(s.Stdout, []string{
			"INCIDENT", "STATE", "CAUSE", "PROVIDER", "EVENT", "EFFECT", "REFERENCE", "AMOUNT",
			"OPENED",
		}, rows)
	}
	if page.Next != "" {
		cli.Say(s.Stdout, "%s", colour.Quiet.Render("more: --before "+string(page.Next)))
	}
	return nil
}

// money formats an amount in the major unit of its currency, as the customer
// knows it. JSON has the minor unit.
func money(m engine.Money) string {
	if !m.Known() {
		return ""
	}
	return cli.Printable(strings.TrimSpace(currency.Format(m.Minor, m.Currency) + " " + m.Currency))
}
