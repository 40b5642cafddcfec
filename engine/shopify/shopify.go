// Package shopify verifies a Shopify webhook and turns it into an [engine.Acceptance].
//
// A handler receives the event, sets the app's own reference, and accepts the event in the
// transaction that enqueues the job:
//
//	event, err := shopify.Receive(r, os.Getenv("SHOPIFY_CLIENT_SECRET"))
//	if err != nil {
//		http.Error(w, "refused", http.StatusUnauthorized)
//		return
//	}
//	event.Subject = event.Attributes["account_id"]
//	receipt, err := effects.Accept(ctx, tx, event.Acceptance)
//
// Most callers need only [Receive]. [Open] does the same for a body that was already read, and
// [Verify] only checks a signature. Tests sign with [Sign].
//
// Shopify signs only the body. The headers with the topic, shop and event id are not signed; TLS
// protects them in transit. Anyone who has an old delivery can send it again; the engine then
// records a duplicate, because the key is the same.
//
// One action of a merchant may send several topics with the same event id. If an app subscribes to
// two topics with the same suggested effect, such as orders/paid and orders/fulfilled, it must give
// them different effect types. Otherwise the second is a duplicate of the first.
package shopify

import (
	"errors"
	"net/http"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/internal/webhook"
)

// Provider is the provider in the key of every event of this package.
const Provider = "shopify"

// MaxBody is the longest body that [Receive] reads, in bytes. It is more than the 512 KiB that the
// engine can store as a payload, because orders with hundreds of line items are long.
const MaxBody = 5 << 20

// The headers of a delivery. See https://shopify.dev/docs/apps/build/webhooks.
const (
	SignatureHeader   = "X-Shopify-Hmac-Sha256"
	TopicHeader       = "X-Shopify-Topic"
	ShopHeader        = "X-Shopify-Shop-Domain"
	EventIDHeader     = "X-Shopify-Event-Id"
	WebhookIDHeader   = "X-Shopify-Webhook-Id"
	TriggeredAtHeader = "X-Shopify-Triggered-At"
	TestHeader        = "X-Shopify-Test"
)

// Event is a verified event: the acceptance for the engine, and other facts that an app needs.
//
// These fields of the acceptance are set:
//   - the key: Provider; the event id, which is the same in all deliveries of the event (or the
//     webhook id if it is missing); and the effect type that [Effect] suggests;
//   - EventType: the topic; Merchant: the shop's domain, lower case; OccurredAt: when it was
//     triggered, zero if the header is missing;
//   - Amount: total_price of an order or checkout in the shop's currency, in minor units of ISO
//     4217, never rounded; customers have none;
//   - Customer: the customer's id. Email addresses and names are never copied;
//   - Objects: the object's own id first, then the order's name, number and
//     confirmation number, the checkout's id and token, and the ids of the
//     order and fulfillments it belongs to;
//   - Payload: the body itself, not a copy; nil if the engine cannot store it (over 512 KiB).
//
// Subject is empty: only the app knows whose order it is. A field that is missing from the
// document, or that the engine cannot store, is empty too: the receipt is still recorded, with less
// detail.
type Event struct {
	engine.Acceptance

	// Live is false for test orders and for test notifications.
	Live bool
	// Attributes are the note attributes of an order or checkout, by name. Storefronts put the
	// app's own references there. Never nil.
	Attributes map[string]string
}

// MalformedError says that the signature is valid, but the body or a header is not that of an
// event. It never repeats what was received.
type MalformedError struct {
	// Field is the name of the header, or "body".
	Field string
	// Reason completes the sentence that starts with the field.
	Reason string
}

func (e *MalformedError) Error() string { return "shopify: " + e.Field + " " + e.Reason }

// Effect returns the effect type suggested for a topic, or "" if there is none. An event without a
// suggestion has an empty Effect; the caller must set it before Accept.
func Effect(topic string) string {
	switch topic {
	case "orders/paid", "orders/fulfilled", "customers/create", "checkouts/create":
		return "access_unlock"
	}
	return ""
}

// Receive reads the request's body, at most [MaxBody] bytes, verifies it and
// returns the event. The body is consumed.
//
// secrets are the app's client secrets: pass both while rotating. Empty secrets are skipped. The
// error wraps [ErrSignature], a [*MalformedError], a [*http.MaxBytesError], or the error of reading
// the body. Answer ErrSignature with 401 and the others with any 4xx or 5xx, so that Shopify
// retries.
func Receive(r *http.Request, secrets ...string) (Event, error) {
	body, err := webhook.ReadBody(r, MaxBody)
	if err != nil {
		return Event{}, errors.Join(errors.New("shopify: the body could not be read"), err)
	}
	return Open(body, r.Header, secrets...)
}

// Open is [Receive] for a body that was already read. Pass the bytes exactly as received: a
// document that was parsed and encoded again no longer matches its signature.
func Open(body []byte, header http.Header, secrets ...string) (Event, error) {
	if err := Verify(body, header, secrets...); err != nil {
		return Event{}, err
	}
	return ParseUnverified(body, header)
}
