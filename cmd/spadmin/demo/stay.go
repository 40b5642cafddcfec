package demo

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/sendpromptly/sendpromptly/cmd/spadmin/colour"
	"github.com/sendpromptly/sendpromptly/cmd/spadmin/demo/shop"
	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/shopify"
)

// Stay keeps the shop open until ctx ends. It loses one more effect for the reader
// to repair, and prints the changes of its incident.
func (s *Stage) Stay(ctx context.Context) error {
	s.tell.heading("Your turn")
	s.tell.line(
		"Another worker dies with the order of acct_you. In %d s you get your own incident …",
		int(timeout.Seconds()),
	)
	incident, err := s.loseOne(ctx)
	if ctx.Err() != nil {
		return nil
	}
	if err != nil {
		return err
	}
	link, err := s.store.Access.Operators.CreateLink(ctx, string(ada), ada)
	if err != nil {
		return err
	}
	s.tell.line("")
	s.tell.line(
		"It is open. Press Reprocess in the console (if you are logged out, use %s):",
		colour.Quiet.Render("the second link"),
	)
	s.tell.line("")
	s.tell.line("  %s", colour.Named.Render(s.AdminURL+"/incidents/"+string(incident.ID)))
	s.tell.line("  %s", colour.Named.Render(s.loginURL(link)))
	s.tell.line("")
	s.tell.line("Or in another terminal%s:", s.passwordNote())
	s.tell.line("")
	s.tell.line("  export DATABASE_URL='%s'", s.shownURL())
	for _, line := range []string{
		"incidents --project " + storefront,
		"show " + string(incident.ID),
		"reprocess " + string(incident.ID),
		"verify",
		"audit verify",
	} {
		s.tell.line("  %s %s", s.command, line)
	}
	s.tell.line("")
	s.tell.line("The customer's link above works in a browser while the shop is open.")
	s.tell.line("%s stops the shop and drops its database.", colour.Strong.Render("Ctrl-C"))
	s.tell.line("")
	return s.follow(ctx, incident.ID)
}

// loseOne kills a worker that has taken a job.
func (s *Stage) loseOne(ctx context.Context) (engine.Incident, error) {
	e := s.sender.newEvent(shopify.Provider, "orders/paid", "acct_you", 1900)
	if err := s.open(ctx, e.account, shop.Account{}, shop.Account{}); err != nil {
		return engine.Incident{}, err
	}
	died, spare := killNextWorker(s.services[storefront])
	defer spare()
	if _, err := s.post(ctx, e, http.StatusOK); err != nil {
		return engine.Incident{}, err
	}
	if err := died(ctx); err != nil {
		return engine.Incident{}, err
	}
	s.services[storefront].StartWorkers(1)
	var incident engine.Incident
	err := until(ctx, func(ctx context.Context) (seen bool, err error) {
		incident, err = incidentOf(ctx, s.Engines[storefront], e.key())
		if errors.Is(err, engine.ErrNotFound) {
			return false, nil
		}
		return err == nil, err
	})
	return incident, err
}

// follow prints every change of one incident until ctx ends.
func (s *Stage) follow(ctx context.Context, id engine.IncidentID) error {
	for change, err := range s.Engines[storefront].Changes(ctx, "") {
		if err != nil {
			return err
		}
		switch {
		case change.ID != string(id), change.What == "opened":
		case change.What == "applied":
			s.tell.voice(we, "%s  well done: the order of acct_you is paid", colour.Good.Render("✓ resolved"))
		case change.What == "callback":
			s.tell.voice(we, "the shop answered the callback")
		default:
			s.tell.voice(we, "%s %s", change.Kind, change.What)
		}
	}
	s.tell.line("")
	return nil
}

// shownURL is the database's connection string. The password is removed unless the
// server is the demo's own.
func (s *Stage) shownURL() string {
	if s.OwnServer {
		return s.DatabaseURL
	}
	u, err := url.Parse(s.DatabaseURL)
	if err != nil || u.Host == "" {
		return "… dbname=" + s.Pool.Config().ConnConfig.Database
	}
	return u.Redacted()
}

// passwordNote explains that shownURL lacks the password.
func (s *Stage) passwordNote() string {
	if s.shownURL() == s.DatabaseURL {
		return ""
	}
	return " (with your own password)"
}
