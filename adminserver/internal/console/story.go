package console

import (
	"fmt"
	"strings"
	"time"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/store/incidents"
)

// story is an effect in one plain sentence: who, what they did, and what they have or do not have.
type story struct {
	// Who is the customer or the app's reference, "" if neither is known; a long one is shortened in the
	// middle.
	Who string
	// Did is what happened at the provider: "paid", with an Amount or without.
	Did, Amount string
	// Owed names the effect: "Their credits".
	Owed string
	// Has completes the sentence: "have not been added".
	Has string
	// Why says why an effect is not applied.
	Why string
	// Told is the app's error message of the last failure; the timeline has the full text.
	Told string
}

// deeds say what an event means; the rest "caused an event".
var deeds = map[string]string{
	"checkout.session.completed":    "paid",
	"invoice.paid":                  "paid",
	"orders/paid":                   "paid",
	"orders/fulfilled":              "had an order shipped",
	"customers/create":              "signed up",
	"checkouts/create":              "began a checkout",
	"customer.subscription.updated": "changed a subscription",
	"customer.subscription.deleted": "ended a subscription",
	"charge.refunded":               "was refunded",
	"charge.dispute.created":        "disputed a charge",
}

// debt is what an effect type means: the thing, whether it is one or many, and
// what should have become of it.
type debt struct {
	thing string
	many  bool
	done  string
}

var debts = map[string]debt{
	"access_unlock":            {"access", false, "unlocked"},
	"credit_grant":             {"credits", true, "added"},
	"seat_update":              {"seats", true, "updated"},
	"subscription_state_apply": {"subscription", false, "updated"},
	"access_revocation":        {"access", false, "revoked"},
	"credit_deduction":         {"credits", true, "deducted"},
}

// tell writes the story of an effect in a state.
func tell(a engine.Acceptance, state engine.State, cause engine.Cause, message string) story {
	s := story{Who: a.Customer, Did: deeds[a.EventType], Amount: money(a.Amount)}
	if a.Subject != "" {
		s.Who = a.Subject
	}
	s.Who = shorten(s.Who, whoShown, 12)
	if s.Did == "" {
		s.Did = "caused an event"
	}
	if s.Amount != "" && s.Did != "paid" && s.Did != "was refunded" {
		s.Amount = "(" + s.Amount + ")"
	}
	d, known := debts[a.Effect]
	if !known {
		d = debt{thing: strings.ReplaceAll(a.Effect, "_", " "), done: "applied"}
	}
	s.Owed = "Their " + d.thing
	if s.Who == "" {
		s.Owed = "The customer’s " + d.thing
	}
	s.Has = d.verdict(state)
	switch {
	case state == engine.StateReprocessing:
		s.Why = "A repair is in progress."
	case !state.Open():
	case cause == engine.CauseMissing:
		s.Why = "No outcome was reported within " + spell(a.Timeout) + "."
	case message != "":
		s.Why, s.Told = "The last attempt failed:", shorten(message, toldShown, 0)
	default:
		s.Why = "The last attempt failed."
	}
	return s
}

// whoShown and toldShown limit what a sentence quotes.
const (
	whoShown  = 48
	toldShown = 280
)

// shorten cuts a text that is too long for a sentence, and keeps that much of its end.
func shorten(s string, most, end int) string {
	runes := []rune(s)
	if len(runes) <= most {
		return s
	}
	return string(runes[:most-end-1]) + "…" + string(runes[len(runes)-end:])
}

// verdict completes the sentence "Their credits …".
func (d debt) verdict(state engine.State) string {
	has, be := "has", "is"
	if d.many {
		has, be = "have", "are"
	}
	switch state {
	case engine.StateApplied:
		return has + " been " + d.done
	case engine.StateAwaiting:
		return be + " still to be " + d.done
	}
	return has + " not been " + d.done
}

// arrived answers support's first question about an effect.
func arrived(state engine.State) string {
	switch state {
	case engine.StateApplied:
		return "Yes, it arrived."
	case engine.StateAwaiting:
		return "Not yet. It is not late."
	case engine.StateReprocessing:
		return "Not yet: a repair is in progress."
	case engine.StateClosed:
		return "No. The incident was closed."
	}
	return "No, it has not arrived."
}

// next says what happens next to an incident, and until when.
type next struct {
	What string
	// Until is the time after What, zero if there is none.
	Until time.Time
	After string
}

func whatNext(i engine.Incident, attempts []incidents.AttemptHistory, repairURL bool) next {
	switch i.State {
	case engine.StateReprocessing:
		return inFlight(i, attempts)
	case engine.StateApplied:
		if i.ResolvedAt.IsZero() {
			return next{What: "Nothing to do: the effect was applied after the incident was closed."}
		}
		return next{
			What:  "Nothing to do: the incident was resolved on",
			Until: i.ResolvedAt,
			After: "after " + spell(i.ResolvedAt.Sub(i.OpenedAt)) + ".",
		}
	case engine.StateClosed:
		return next{
			What: "Nothing happens automatically. A late success is recorded, but the incident stays closed. " +
				"Use Reopen or Reprocess to open it again.",
		}
	}
	if !repairURL {
		return next{
			What: "Nothing happens automatically. A success that the app reports resolves the incident. " +
				"Reprocess needs a repair URL; this project has none.",
		}
	}
	return next{
		What: "Nothing happens automatically. A success that the app reports resolves the incident. " +
			"Reprocess asks the app to repair it.",
	}
}

// inFlight says what the attempt's callback is waiting for.
func inFlight(i engine.Incident, attempts []incidents.AttemptHistory) next {
	n := next{
		What:  "The signed callback is being sent to the app. Without a success by",
		Until: i.DueAt,
		After: "the attempt counts as missing.",
	}
	if len(attempts) == 0 {
		return n
	}
	switch last := attempts[0]; {
	case last.Delivery == "accepted":
		n.What = "The app accepted the repair and has not reported its outcome. Without a success by"
	case last.Delivery == "waiting" && last.Tries > 0:
		n = next{
			What:  lastAnswer(last.Callbacks) + " The next callback is due on",
			Until: last.NextAt,
			After: "unless an outcome is reported first.",
		}
	}
	return n
}

// lastAnswer says what the repair endpoint answered last.
func lastAnswer(ended []incidents.Callback) string {
	if len(ended) == 0 || ended[len(ended)-1].Status == 0 {
		return "The repair endpoint did not answer."
	}
	return fmt.Sprintf("The repair endpoint answered %d.", ended[len(ended)-1].Status)
}
