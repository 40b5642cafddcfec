package proofpage

import (
	"github.com/sendpromptly/sendpromptly/engine"
)

// effect is how a customer reads a type of effect.
type effect struct {
	// done and notYet are headlines, noun is the effect.
	done, notYet, noun string
}

var effects = map[string]effect{
	"access_unlock":            {"Your access was unlocked", "Your access has not been unlocked yet", "your access"},
	"credit_grant":             {"Your credits were added", "Your credits have not been added yet", "your credits"},
	"seat_update":              {"Your seats were updated", "Your seats have not been updated yet", "your seats"},
	"subscription_state_apply": {"Your subscription was updated", "Your subscription has not been updated yet", "your subscription"},
	"access_revocation":        {"The access was ended", "The access has not been ended yet", "the end of the access"},
	"credit_deduction": {
		"The credits were taken back",
		"The credits have not been taken back yet",
		"the credits to take back",
	},
}

// otherEffect is for types that only the app knows.
var otherEffect = effect{"This was completed", "This has not been completed yet", "what was owed"}

func effectOf(kind string) effect {
	if known, ok := effects[kind]; ok {
		return known
	}
	return otherEffect
}

var providers = map[string]string{"stripe": "Stripe", "shopify": "Shopify"}

func providerName(provider string) string {
	if name, ok := providers[provider]; ok {
		return name
	}
	return provider
}

// events are the provider's event types as a customer would say them.
var events = map[string]string{
	"checkout.session.completed":    "a completed checkout",
	"invoice.paid":                  "a paid invoice",
	"customer.subscription.updated": "a changed subscription",
	"customer.subscription.deleted": "an ended subscription",
	"charge.refunded":               "a refund",
	"charge.dispute.created":        "a disputed payment",
	"orders/paid":                   "a paid order",
	"orders/fulfilled":              "a fulfilled order",
	"customers/create":              "a new customer",
	"checkouts/create":              "a new checkout",
}

func eventName(eventType string) string {
	if name, ok := events[eventType]; ok {
		return name
	}
	return eventType
}

// The tones of a state or an entry: they choose a colour and a mark.
const (
	toneGood  = "good"
	toneWait  = "wait"
	toneBad   = "bad"
	tonePlain = "plain"
	toneQuiet = "quiet"
)

// state is the top of the page.
type state struct{ Tone, Title, Text string }

// stateOf says honestly what the state of the customer's effect is.
func stateOf(i engine.Incident) state {
	e := effectOf(i.Effect)
	switch i.State {
	case engine.StateApplied:
		if i.Attempt == 0 {
			return state{toneGood, e.done, "It took longer than it should have, but it is done now."}
		}
		return state{toneGood, e.done, "It took longer than it should have. We noticed and fixed it."}
	case engine.StateReprocessing:
		return state{toneWait, "We are working on it", e.notYet + ". A repair is in progress. This page will say when it is done."}
	case engine.StateFailed, engine.StateMissing:
		return state{toneWait, "We are working on it", e.notYet + ". Our team knows. This page will say when it is done."}
	case engine.StateClosed:
		return state{
			tonePlain,
			"Our team settled this in another way",
			e.notYet + ". Our team has closed the case. If you do not know why, ask us.",
		}
	}
	return state{toneWait, "We are working on it", e.notYet + "."}
}

// sentence says what an entry of a timeline means to a customer: fixed words per kind, nothing from the
// entry.
func sentence(kind engine.Kind, i engine.Incident) (tone, text string) {
	e := effectOf(i.Effect)
	told := map[engine.Kind][2]string{
		"receipt":   {tonePlain, providerName(i.Provider) + " told us about " + about(i) + ". We accepted it."},
		"duplicate": {toneQuiet, "The same message arrived again. Nothing is done twice."},
		"mismatch":  {toneQuiet, "The same message arrived again with different details. The first details count."},
		"success":   {toneGood, e.done + "."},
		"failure":   {toneBad, "An attempt did not work."},
		"deadline":  {toneBad, "It had not happened when our time limit passed."},
		"opened":    {toneWait, "We noticed this and opened a case."},
		"alert":     {toneQuiet, "Our team was alerted."},
		"reprocess": {toneWait, "Our team started a repair."},
		"callback":  {toneQuiet, "The repair system answered."},
		"accepted":  {toneQuiet, "The repair system accepted the repair."},
		"gave_up":   {toneBad, "The repair request did not get through."},
		"stopped":   {tonePlain, "Our team stopped this repair."},
		"resolved":  {toneGood, "The case is resolved."},
		"closed":    {tonePlain, "Our team closed the case."},
		"reopened":  {toneWait, "Our team opened the case again."},
		"note":      {toneQuiet, "Our team made a note."},
		"proof":     {toneQuiet, "A proof link like this one was created."},
		"erased":    {toneQuiet, "Personal details were erased from this record."},
	}
	if s, ok := told[kind]; ok {
		return s[0], s[1]
	}
	return toneQuiet, "The record was updated."
}

// about names the event.
func about(i engine.Incident) string {
	if i.EventType == "" {
		return "a payment event"
	}
	return eventName(i.EventType)
}
