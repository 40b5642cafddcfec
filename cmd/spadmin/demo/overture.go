package demo

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/sendpromptly/sendpromptly/cmd/spadmin/colour"
	"github.com/sendpromptly/sendpromptly/cmd/spadmin/demo/shop"
	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/shopify"
	"github.com/sendpromptly/sendpromptly/engine/stripe"
	"github.com/sendpromptly/sendpromptly/internal/localpg"
)

// opening introduces the demo.
func (n *narrator) opening() {
	n.line("%s", colour.Strong.Render("SendPromptly: what your provider's log does not show"))
	n.line("A customer pays. Your app answers the webhook with 200 OK. The product never arrives.")
	n.line("Here a small shop loses six effects like that, each to a real fault. Watch who notices.")
	n.line("")
}

// database describes the database.
func (n *narrator) database(server *localpg.Server, name string) {
	if server.Started() {
		n.say("started and migrated Postgres %s for this demo", server.Version())
		return
	}
	n.say("created and migrated a database on Postgres %s of DATABASE_URL: %s", server.Version(), name)
}

// shop describes what runs.
func (n *narrator) shop(url string) {
	n.say("a shop opens on %s: for Stripe and Shopify each, a webhook, a queue and %d workers", url, workers)
	n.say("the deadline of each effect is %d s after its webhook (the default is 30 minutes)", int(timeout.Seconds()))
}

// console prints the login link of the console.
func (n *narrator) console(url string) {
	n.say("watch it live in the console, with a one-time login link for %s:", ada)
	n.line("")
	n.line("  %s", colour.Named.Render(url))
}

// allTypes are the ten event types in a plausible order. stranger marks events
// that revoke access; they go to a second account.
var allTypes = []struct {
	provider, eventType string
	cents               int64
	stranger            bool
}{
	{stripe.Provider, "checkout.session.completed", 4900, false},
	{stripe.Provider, "invoice.paid", 5000, false},
	{stripe.Provider, "customer.subscription.updated", 0, false},
	{stripe.Provider, "charge.refunded", 2000, false},
	{stripe.Provider, "customer.subscription.deleted", 0, true},
	{stripe.Provider, "charge.dispute.created", 4900, true},
	{shopify.Provider, "customers/create", 0, false},
	{shopify.Provider, "checkouts/create", 3500, false},
	{shopify.Provider, "orders/paid", 3500, false},
	{shopify.Provider, "orders/fulfilled", 3500, false},
}

// What an account has before and after a good day: an invoice of $50.00 adds
// 500 credits, a refund of $20.00 takes 200.
var (
	regularBefore  = shop.Account{Credits: 1000}
	regularAfter   = shop.Account{Credits: 1300, Access: true, Team: true}
	strangerBefore = shop.Account{Access: true, Team: true}
	strangerAfter  = shop.Account{Team: true}
)

// goodDay posts every type twice. All effects are applied and no incident opens,
// as on most days.
func (s *Stage) goodDay(ctx context.Context) error {
	s.tell.heading("A good day")
	s.tell.line("One transaction queues the job and records a receipt: the effect is owed. Another does the work")
	s.tell.line("and records the success. Each record commits with the shop's own rows, or not at all.")
	s.tell.line("")
	first, err := s.day(ctx, "acct_gus", "acct_iris")
	if err != nil {
		return err
	}
	for _, e := range first {
		if err := s.goesWell(ctx, e); err != nil {
			return err
		}
	}
	second, err := s.day(ctx, "acct_hana", "acct_jon")
	if err != nil {
		return err
	}
	if err := s.goWell(ctx, second); err != nil {
		return err
	}
	if err := s.forgery(ctx); err != nil {
		return err
	}
	for project, effects := range s.Engines {
		page, err := effects.Incidents(ctx, engine.IncidentFilter{})
		if err != nil {
			return err
		}
		if len(page.Incidents) > 0 {
			return fmt.Errorf("project %s has %d incidents, want none", project, len(page.Incidents))
		}
	}
	s.tell.say(
		"%s",
		colour.Good.Render(
			fmt.Sprintf(
				"%d effects owed, %d applied, no incident. Nobody gets paged. Most days look like this.",
				len(s.sent),
				len(s.sent),
			),
		),
	)
	return nil
}

// day makes ten events for two new customers, and records the accounts that they
// must have at the end.
func (s *Stage) day(ctx context.Context, regular, stranger string) ([]event, error) {
	if err := s.open(ctx, regular, regularBefore, regularAfter); err != nil {
		return nil, err
	}
	if err := s.open(ctx, stranger, strangerBefore, strangerAfter); err != nil {
		return nil, err
	}
	var events []event
	for _, t := range allTypes {
		account := regular
		if t.stranger {
			account = stranger
		}
		e := s.sender.newEvent(t.provider, t.eventType, account, t.cents)
		if e.account != account { // a new customer
			s.expected[e.account] = shop.Account{}
		}
		events = append(events, e)
	}
	return events, nil
}

// open creates an account and records its expected state at the end.
func (s *Stage) open(ctx context.Context, id string, before, after shop.Account) error {
	s.expected[id] = after
	return shop.CreateAccount(ctx, s.Pool, id, before)
}

// goesWell posts one event and waits for its effect.
func (s *Stage) goesWell(ctx context.Context, e event) error {
	began := time.Now()
	d, err := s.post(ctx, e, http.StatusOK)
	if err != nil {
		return err
	}
	if err := s.awaitApplied(ctx, e); err != nil {
		return err
	}
	s.tell.say("%s  %s  %s in %5s  %s", column(e.provider, 7), column(e.eventType, 29), colour.Good.Render("200 OK"), millis(d.took),
		colour.Quiet.Render(fmt.Sprintf("%s applied after %s", e.key().Effect, millis(time.Since(began)))))
	return nil
}

// goWell posts events concurrently and waits for their effects.
func (s *Stage) goWell(ctx context.Context, events []event) error {
	failed := make(chan error, len(events))
	began := time.Now()
	for _, e := range events {
		s.sent = append(s.sent, e)
		go func() {
			d, err := s.sender.post(ctx, e)
			if err == nil {
				err = d.want(http.StatusOK)
			}
			failed <- err
		}()
	}
	for range events {
		if err := <-failed; err != nil {
			return err
		}
	}
	for _, e := range events {
		if err := s.awaitApplied(ctx, e); err != nil {
			return err
		}
	}
	s.tell.say("%s  %s  %s           %s", column("both", 7), column("the same ten, concurrently", 29), colour.Good.Render("200 OK"),
		colour.Quiet.Render("all applied after "+millis(time.Since(began))))
	return nil
}

// forgery posts an event that Stripe did not sign.
func (s *Stage) forgery(ctx context.Context) error {
	d, err := s.sender.postSigned(ctx, s.sender.newEvent(stripe.Provider, "invoice.paid", "acct_gus", 99900), "whsec_guessed")
	if err == nil {
		err = d.want(http.StatusBadRequest)
	}
	if err != nil {
		return err
	}
	s.tell.say(
		"%s  %s  %s in %5s  %s",
		column("unknown", 7),
		column("invoice.paid, forged", 29),
		colour.Waiting.Render("400   "),
		millis(d.took),
		colour.Quiet.Render("the signature is wrong: nothing is owed"),
	)
	return nil
}
