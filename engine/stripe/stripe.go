// Package stripe turns a Stripe webhook, a raw body and its headers, into a
// verified [engine.Acceptance].
//
// A handler receives the event, says whose it is, and accepts it in the
// transaction that enqueues its job:
//
//	event, err := stripe.Receive(r, os.Getenv("STRIPE_WEBHOOK_SECRET"))
//	if err != nil {
//		http.Error(w, "refused", http.StatusBadRequest)
//		return
//	}
//	event.Subject = event.Metadata["account_id"]
//	receipt, err := effects.Accept(ctx, tx, event.Acceptance)
//
// Most callers need only [Receive]; [Open] does the same for a body that was
// read already, and [Verify] checks a signature and nothing else. Tests and
// demo senders sign with [Sign].
//
// The effect types suggested for the six event types of [Effect] are only
// suggestions: set event.Effect to what your app calls it. Every other event
// type arrives verified and with an empty Effect, which the caller must set.
package stripe

import (
	"errors"
	"net/http"
	"time"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/internal/webhook"
)

// Provider is the provider's name in every key made here.
const Provider = "stripe"

// MaxBody is the longest body that [Receive] reads, in bytes: as much as an
// acceptance can carry as its payload. Stripe's own events stay well below.
const MaxBody = webhook.MaxPayload

// Event is a verified event: what the engine accepts, and what else an app
// needs to decide about it.
//
// Of the acceptance it fills
//   - the key, with the suggested effect type of [Effect];
//   - EventType and OccurredAt (the event's "created");
//   - Merchant: the connected account, on Connect endpoints;
//   - Amount: amount_total of a checkout session, amount_paid of an invoice,
//     amount of a dispute, and of a refund what this event refunded (Stripe
//     counts amount_refunded over all refunds of the charge). It is never
//     negative: the event type tells the direction. Subscriptions have none,
//     for nothing is paid by them. It is in the minor units of ISO 4217, which
//     differ from Stripe's for ISK, UGX and MGA;
//   - Customer: the customer's id. Mail addresses and names are never copied;
//   - Objects: the object's own id first, then those of what belongs to it
//     (payment intent, charge, invoice and its number, subscription, refunds,
//     receipt number), from API versions before and after 2025-03-31;
//   - Subject: client_reference_id, if there is one. Nothing is guessed from
//     metadata, whose names are the app's own: a caller nearly always sets it;
//   - Payload: the body itself, not a copy.
//
// A field that a document does not have, or that the engine could not store,
// stays empty: it costs a detail of the story, never the watch.
type Event struct {
	engine.Acceptance

	// Live tells real money from Stripe's test mode ("livemode"). It is also the
	// acceptance's Mode, which the engine holds against the project's.
	Live bool
	// Account is the connected account that the event is about, on Connect
	// endpoints; else empty. It is also the acceptance's Merchant.
	Account string
	// Metadata is the object's own metadata, over that of the subscription
	// which an invoice belongs to. Never nil.
	Metadata map[string]string
}

// MalformedError says that a body was signed by Stripe and still is not an
// event. It never repeats the body.
type MalformedError struct {
	// Field is the member of the document, such as "id"; "body" for the whole.
	Field string
	// Reason completes the sentence that begins with the field.
	Reason string
}

func (e *MalformedError) Error() string { return "stripe: " + e.Field + " " + e.Reason }

// Effect returns the effect type suggested for an event type, and "" where
// there is no suggestion.
func Effect(eventType string) string {
	switch eventType {
	case "checkout.session.completed":
		return "access_unlock"
	case "invoice.paid":
		return "credit_grant"
	case "customer.subscription.updated":
		return "subscription_state_apply"
	case "customer.subscription.deleted", "charge.dispute.created":
		return "access_revocation"
	case "charge.refunded":
		return "credit_deduction"
	}
	return ""
}

// Receive reads the request's body, at most [MaxBody] bytes, verifies it and
// returns the event. The body is consumed.
//
// secrets are the endpoint's signing secrets ("whsec_…"), several while one is
// being rolled; empty ones are skipped. Errors: one that wraps [ErrSignature],
// a [*MalformedError], one that wraps [*http.MaxBytesError], or what reading
// the body failed with. Answer each with a 4xx or 5xx, so that Stripe repeats.
func Receive(r *http.Request, secrets ...string) (Event, error) {
	body, err := webhook.ReadBody(r, MaxBody)
	if err != nil {
		return Event{}, errors.Join(errors.New("stripe: no body"), err)
	}
	return Open(body, r.Header, time.Now(), secrets...) //nolint:forbidigo // no database is asked for a signature
}

// Open is [Receive] for a body that was read already. The body must be the
// bytes as received: a document that was parsed and written again no longer
// fits its signature.
func Open(body []byte, header http.Header, now time.Time, secrets ...string) (Event, error) {
	if err := Verify(body, header, now, secrets...); err != nil {
		return Event{}, err
	}
	return ParseUnverified(body)
}
