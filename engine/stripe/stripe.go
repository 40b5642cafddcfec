// Package stripe verifies a Stripe webhook and turns it into an [engine.Acceptance].
//
// A handler receives the event, sets the app's own reference, and accepts the event in the
// transaction that enqueues the job:
//
//	event, err := stripe.Receive(r, os.Getenv("STRIPE_WEBHOOK_SECRET"))
//	if err != nil {
//		http.Error(w, "refused", http.StatusBadRequest)
//		return
//	}
//	event.Subject = event.Metadata["account_id"]
//	receipt, err := effects.Accept(ctx, tx, event.Acceptance)
//
// Most callers need only [Receive]. [Open] does the same for a body that was already read, and
// [Verify] only checks a signature. Tests sign with [Sign].
//
// [Effect] suggests effect types for six event types; set event.Effect to use another name. Every
// other event type is verified too, but has an empty Effect, which the caller must set before
// Accept.
package stripe

import (
	"errors"
	"net/http"
	"time"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/internal/webhook"
)

// Provider is the provider in the key of every event of this package.
const Provider = "stripe"

// MaxBody is the longest body that [Receive] reads, in bytes: the largest payload of an acceptance.
// Stripe's events are much smaller.
const MaxBody = webhook.MaxPayload

// Event is a verified event: the acceptance for the engine, and other facts that an app needs.
//
// These fields of the acceptance are set:
//   - the key: Provider, the event's id, and the effect type that [Effect] suggests;
//   - EventType and OccurredAt (the event's "created");
//   - Merchant: the connected account, on Connect endpoints;
//   - Amount: amount_total of a checkout session, amount_paid of an invoice, amount of a dispute.
//     For a refund it is what this event refunded, not amount_refunded, which is the sum of all
//     refunds of the charge. It is never negative: the event type shows the direction.
//     Subscriptions have none. It is in minor units of ISO 4217, which differ from Stripe's for
//     ISK, UGX and MGA;
//   - Customer: the customer's id. Email addresses and names are never copied;
//   - Objects: the object's own id first, then those of what belongs to it
//     (payment intent, charge, invoice and its number, subscription, refunds,
//     receipt number), from API versions before and after 2025-03-31;
//   - Subject: client_reference_id, if there is one. Most callers set it themselves, for example
//     from Metadata;
//   - Payload: the body itself, not a copy.
//
// A field that is missing from the document, or that the engine cannot store, is empty: the receipt
// is still recorded, with less detail.
type Event struct {
	engine.Acceptance

	// Live is "livemode": true for real money, false in test mode. It also sets the acceptance's
	// Mode, which the engine compares with the project's mode.
	Live bool
	// Account is the connected account of the event, on Connect endpoints; otherwise empty. It is
	// also the acceptance's Merchant.
	Account string
	// Metadata is the object's metadata. For an invoice it includes the subscription's metadata;
	// the invoice's own values take precedence. Never nil.
	Metadata map[string]string
}

// MalformedError says that the signature is valid, but the body is not an event. It never repeats
// the body.
type MalformedError struct {
	// Field is the document's field, such as "id", or "body" for the whole document.
	Field string
	// Reason completes the sentence that starts with the field.
	Reason string
}

func (e *MalformedError) Error() string { return "stripe: " + e.Field + " " + e.Reason }

// Effect returns the effect type suggested for an event type, or "" if there is none.
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
// secrets are the endpoint's signing secrets ("whsec_…"): pass both while rotating. Empty secrets
// are skipped. The error wraps [ErrSignature], a [*MalformedError], a [*http.MaxBytesError], or the
// error of reading the body. Answer each with a 4xx or 5xx, so that Stripe retries.
func Receive(r *http.Request, secrets ...string) (Event, error) {
	body, err := webhook.ReadBody(r, MaxBody)
	if err != nil {
		return Event{}, errors.Join(errors.New("stripe: the body could not be read"), err)
	}
	return Open(body, r.Header, time.Now(), secrets...) //nolint:forbidigo // verifying a signature needs no database
}

// Open is [Receive] for a body that was already read, with now as the current time. Pass the bytes
// exactly as received: a document that was parsed and encoded again no longer matches its
// signature.
func Open(body []byte, header http.Header, now time.Time, secrets ...string) (Event, error) {
	if err := Verify(body, header, now, secrets...); err != nil {
		return Event{}, err
	}
	return ParseUnverified(body)
}
