package demo

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/sendpromptly/sendpromptly/cmd/spadmin/colour"
	"github.com/sendpromptly/sendpromptly/cmd/spadmin/demo/shop"
	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/stripe"
)

// scene shows one fault: how the effect gets lost, and how it is repaired.
type scene struct {
	*Stage
	title string
	// short is the title in a table.
	short string
	// event is the event whose effect gets lost, customer its customer.
	event    event
	customer string
	// cause is the expected cause of the incident.
	cause engine.Cause
	act   func(*scene, context.Context) error

	// incident is the incident as last read, tried the number of answered callbacks.
	incident engine.Incident
	tried    int
}

// newScenes lists the six faults in the order of the story.
func newScenes(s *Stage) []*scene {
	event := s.sender.newEvent
	return []*scene{
		{
			Stage:    s,
			title:    "No worker is running",
			short:    "no worker",
			customer: "Inês",
			cause:    engine.CauseMissing,
			act:      (*scene).noWorker,
			event:    event("stripe", "checkout.session.completed", "acct_ines", 4900),
		},
		{
			Stage:    s,
			title:    "The worker dies after taking the job",
			short:    "dead worker",
			customer: "Bruno",
			cause:    engine.CauseMissing,
			act:      (*scene).deadWorker,
			event:    event("shopify", "orders/paid", "acct_bruno", 3500),
		},
		{
			Stage:    s,
			title:    "The database rejects the write after the webhook was answered",
			short:    "refused write",
			customer: "Chidi",
			cause:    engine.CauseFailed,
			act:      (*scene).refusedWrite,
			event:    event("stripe", "invoice.paid", "acct_chidi", 99000),
		},
		{
			Stage:    s,
			title:    "The shop's own dedupe swallows the redelivery",
			short:    "swallowed redelivery",
			customer: "Dana",
			cause:    engine.CauseMissing,
			act:      (*scene).swallowedRedelivery,
			event:    event("shopify", "customers/create", "", 0),
		},
		{
			Stage:    s,
			title:    "The account does not exist yet",
			short:    "no account yet",
			customer: "Emre",
			cause:    engine.CauseFailed,
			act:      (*scene).noAccount,
			event:    event("stripe", "customer.subscription.updated", "acct_emre", 0),
		},
		{
			Stage:    s,
			title:    "The success is late",
			short:    "late success",
			customer: "Farah",
			cause:    engine.CauseMissing,
			act:      (*scene).lateSuccess,
			event:    event("shopify", "orders/fulfilled", "acct_farah", 6200),
		},
	}
}

// play runs the scene.
func (sc *scene) play(ctx context.Context, number, of int) error {
	if err := reached(ctx); err != nil {
		return err
	}
	sc.tell.heading(fmt.Sprintf("%d of %d  %s", number, of, sc.title))
	return sc.act(sc, ctx)
}

func (sc *scene) key() engine.Key { return sc.event.key() }

func (sc *scene) effects() *engine.Engine { return sc.Engines[sc.event.project()] }

func (sc *scene) service() *shop.Service { return sc.services[sc.event.project()] }

// providersLog is the speaker for the provider's log.
func (sc *scene) providersLog() string {
	if sc.event.provider == stripe.Provider {
		return "Stripe's log"
	}
	return "Shopify's log"
}

// deliver posts the event, which the shop must answer with 200.
func (sc *scene) deliver(ctx context.Context) error {
	d, err := sc.post(ctx, sc.event, http.StatusOK)
	if err == nil {
		sc.tell.voice(sc.providersLog(), "%s  %s in %s: delivered", sc.event.eventType, colour.Good.Render("200 OK"), millis(d.took))
	}
	return err
}

// awaitIncident waits for the incident, which must have the expected cause.
func (sc *scene) awaitIncident(ctx context.Context) error {
	err := until(ctx, func(ctx context.Context) (seen bool, err error) {
		sc.incident, err = incidentOf(ctx, sc.effects(), sc.key())
		if errors.Is(err, engine.ErrNotFound) {
			return false, nil
		}
		return err == nil, err
	})
	if err != nil {
		return fmt.Errorf("no incident opened: %w", err)
	}
	if sc.incident.Cause != sc.cause {
		return fmt.Errorf("the incident's cause is %s, want %s", sc.incident.Cause, sc.cause)
	}
	sc.tell.voice(we, "%s  %s for %s%s", colour.Bad.Render("INCIDENT "+string(sc.cause)), sc.key().Effect, sc.customer, sc.price())
	sc.tell.aside("because %s", sc.why())
	return nil
}

// incidentOf reads the incident of a key's effect, or returns [engine.ErrNotFound] if it has none.
func incidentOf(ctx context.Context, e *engine.Engine, k engine.Key) (engine.Incident, error) {
	effect, err := e.Find(ctx, k)
	if err != nil {
		return engine.Incident{}, err
	}
	if effect.IncidentID == "" {
		return engine.Incident{}, engine.ErrNotFound
	}
	return e.Incident(ctx, effect.IncidentID)
}

// price is the amount that the customer paid, or empty if it is zero.
func (sc *scene) price() string {
	if sc.event.cents == 0 {
		return ""
	}
	return ", " + dollars(sc.event.cents)
}

// why says how the engine detected the loss.
func (sc *scene) why() string {
	if sc.incident.Cause == engine.CauseMissing {
		return fmt.Sprintf("the deadline of %d s passed and no outcome was reported", int(timeout.Seconds()))
	}
	message := sc.incident.ErrorMessage
	if i := strings.Index(message, " (SQLSTATE"); i > 0 {
		message = message[:i]
	}
	return strings.TrimPrefix(message, "ERROR: ")
}

// reprocess requests a repair, as the operator.
func (sc *scene) reprocess(ctx context.Context, how string) error {
	_, err := sc.effects().Reprocess(ctx, sc.incident.ID, ada)
	if err != nil {
		return fmt.Errorf("reprocess failed: %w", err)
	}
	sc.tell.voice(string(ada), "%s", how)
	return nil
}

// awaitCallback waits for the answer to one try of the repair callback.
func (sc *scene) awaitCallback(ctx context.Context, try, status int) error {
	var answered engine.Entry
	err := until(ctx, func(ctx context.Context) (bool, error) {
		entries, err := sc.timeline(ctx)
		seen := 0
		for _, entry := range entries {
			if entry.Kind == engine.KindCallback {
				seen++
				answered = entry
			}
			if seen == try {
				return true, nil
			}
		}
		return false, err
	})
	if err != nil {
		return fmt.Errorf("repair callback %d was not answered: %w", try, err)
	}
	if answered.Status != status {
		return fmt.Errorf("the repair endpoint answered callback %d with %d, want %d", try, answered.Status, status)
	}
	sc.tried = try
	text := colour.Good.Render(fmt.Sprint(status))
	if status >= 300 {
		text = colour.Bad.Render(fmt.Sprint(status))
	}
	sc.tell.voice(we, "signed callback to %s: %s in %s", repairPath(sc.event.project()), text, millis(answered.Duration))
	return nil
}

// awaitResolved waits until the incident is resolved, and checks in the shop's own
// tables that the effect was applied once.
func (sc *scene) awaitResolved(ctx context.Context) error {
	err := until(ctx, func(ctx context.Context) (seen bool, err error) {
		sc.incident, err = sc.effects().Incident(ctx, sc.incident.ID)
		return sc.incident.State == engine.StateApplied, err
	})
	if err != nil {
		return fmt.Errorf("the incident was not resolved: %w", err)
	}
	return sc.appliedOnce(ctx)
}

// appliedOnce checks the shop's tables, not the engine.
func (sc *scene) appliedOnce(ctx context.Context) error {
	n, err := sc.books.TimesApplied(ctx, sc.event.id)
	if err == nil && n != 1 {
		err = fmt.Errorf("the shop applied the effect %d times, want once", n)
	}
	return err
}

// resolved prints the end of the scene.
func (sc *scene) resolved(text string) {
	open := sc.incident.ResolvedAt.Sub(sc.incident.OpenedAt)
	sc.tell.voice(we, "%s  %s", colour.Good.Render("✓ resolved after "+brief(open)), text)
}

// awaitJob waits until the shop's n-th job of the event satisfies a condition.
func (sc *scene) awaitJob(ctx context.Context, n int, is func(shop.Job) bool) error {
	err := until(ctx, func(ctx context.Context) (bool, error) {
		jobs, err := sc.books.Jobs(ctx, sc.event.id)
		return len(jobs) >= n && is(jobs[n-1]), err
	})
	if err != nil {
		return fmt.Errorf("job %d of the event: %w", n, err)
	}
	return nil
}

// timeline reads the timeline of the scene's effect.
func (sc *scene) timeline(ctx context.Context) ([]engine.Entry, error) {
	var entries []engine.Entry
	for from := int64(0); ; {
		page, err := sc.effects().Timeline(ctx, sc.incident.EffectID, from)
		if err != nil {
			return nil, err
		}
		entries = append(entries, page.Entries...)
		if from = page.Next; from == 0 {
			return entries, nil
		}
	}
}
