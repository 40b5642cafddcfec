// Package shopify turns a Shopify webhook, a raw body and its headers, into a
// verified [engine.Acceptance].
//
// A handler receives the event, says whose it is, and accepts it in the
// transaction that enqueues its job:
//
//	event, err := shopify.Receive(r, os.Getenv("SHOPIFY_CLIENT_SECRET"))
//	if err != nil {
//		http.Error(w, "refused", http.StatusUnauthorized)
//		return
//	}
//	event.Subject = event.Attributes["account_id"]
//	receipt, err := effects.Accept(ctx, tx, event.Acceptance)
//
// Most callers need only [Receive]; [Open] does the same for a body that was
// read already, and [Verify] checks a signature and nothing else. Tests and
// demo senders sign with [Sign].
//
// Shopify signs the body and nothing else: topic, shop and event id come in
// headers without proof, and an old delivery can be sent again by whoever
// holds it. The transport's TLS protects the first, the engine's key the
// second: a receipt for the same event is a duplicate.
//
// One thing that a merchant does may bring several topics, and Shopify may
// give them the same event id. Where an app listens to two topics that owe the
// same suggested effect (orders/paid and orders/fulfilled), it should name
// their effects apart, or the second is taken for a duplicate of the first.
package shopify

import (
	"errors"
	"net/http"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/internal/webhook"
)

// Provider is the provider's name in every key made here.
const Provider = "shopify"

// MaxBody is the longest body that [Receive] reads, in bytes. Orders with
// hundreds of lines are long; the engine keeps payloads of up to 512 KiB.
const MaxBody = 5 << 20

// The headers of a delivery. Source:
// https://shopify.dev/docs/apps/build/webhooks
const (
	SignatureHeader   = "X-Shopify-Hmac-Sha256"
	TopicHeader       = "X-Shopify-Topic"
	ShopHeader        = "X-Shopify-Shop-Domain"
	EventIDHeader     = "X-Shopify-Event-Id"
	WebhookIDHeader   = "X-Shopify-Webhook-Id"
	TriggeredAtHeader = "X-Shopify-Triggered-At"
	TestHeader        = "X-Shopify-Test"
)

// Event is a verified event: what the engine accepts, and what else an app
// needs to decide about it.
//
// Of the acceptance it fills
//   - the key: the event id, which stays the same over deliveries (else the
//     webhook id), and the suggested effect type of [Effect];
//   - EventType: the topic; Merchant: the shop's domain, lower case; OccurredAt:
//     when it was triggered, zero where the header is missing;
//   - Amount: total_price of an order or checkout in the shop's currency, as
//     minor units of ISO 4217, exactly; customers have none;
//   - Customer: the customer's id. Mail addresses and names are never copied;
//   - Objects: the object's own id first, then the order's name, number and
//     confirmation number, the checkout's id and token, and the ids of the
//     order and fulfillments it belongs to;
//   - Payload: the body itself, not a copy; nil where the engine could not
//     keep it (over 512 KiB).
//
// Subject stays empty: only the app knows whose order it is. A field that a
// document does not have, or that the engine could not store, stays empty too:
// it costs a detail of the story, never the watch.
type Event struct {
	engine.Acceptance

	// Live is false for test orders and for test notifications.
	Live bool
	// Attributes are the note attributes of an order or checkout, by name:
	// where storefronts leave the app's own references. Never nil.
	Attributes map[string]string
}

// MalformedError says that a body was signed by Shopify and that it or its
// headers still are not an event. It never repeats what was received.
type MalformedError struct {
	// Field is the header, or "body".
	Field string
	// Reason completes the sentence that begins with the field.
	Reason string
}

func (e *MalformedError) Error() string { return "shopify: " + e.Field + " " + e.Reason }

// Effect returns the effect type suggested for a topic, and "" where there is
// no suggestion: such an event arrives with an empty Effect, which the caller
// must set.
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
// secrets are the app's client secrets, several while one is being rotated;
// empty ones are skipped. Errors: one that wraps [ErrSignature], a
// [*MalformedError], one that wraps [*http.MaxBytesError], or what reading the
// body failed with. Answer ErrSignature with 401, the others with any 4xx or
// 5xx, so that Shopify repeats.
func Receive(r *http.Request, secrets ...string) (Event, error) {
	body, err := webhook.ReadBody(r, MaxBody)
	if err != nil {
		return Event{}, errors.Join(errors.New("shopify: no body"), err)
	}
	return Open(body, r.Header, secrets...)
}

// Open is [Receive] for a body that was read already. The body must be the
// bytes as received: a document that was parsed and written again no longer
// fits its signature.
func Open(body []byte, header http.Header, secrets ...string) (Event, error) {
	if err := Verify(body, header, secrets...); err != nil {
		return Event{}, err
	}
	return ParseUnverified(body, header)
}
