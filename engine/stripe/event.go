package stripe

import (
	"encoding/json"
	"maps"
	"time"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/internal/webhook"
)

// ParseUnverified parses an event without checking its signature. Use it only for bodies that were
// already verified or that were read from Stripe's API, which lists the events of the last 30 days,
// unsigned.
//
// It returns a [*MalformedError] if the body is not one JSON object, or if its id, type, created or
// livemode is missing or malformed.
func ParseUnverified(body []byte) (Event, error) {
	document, err := webhook.Parse(body)
	if err != nil {
		return Event{}, &MalformedError{"body", err.Error()}
	}
	id, eventType := document.At("id").Text(), document.At("type").Text()
	if !webhook.IsName(id, 255) {
		return Event{}, &MalformedError{"id", "is not an event id"}
	}
	if !webhook.IsName(eventType, 128) {
		return Event{}, &MalformedError{"type", "is not an event type"}
	}
	occurred, ok := instant(document.At("created"))
	if !ok {
		return Event{}, &MalformedError{"created", "is not a time"}
	}
	live, ok := document.At("livemode").Bool()
	if !ok {
		return Event{}, &MalformedError{"livemode", "is not true or false"}
	}
	account := webhook.Text(document.At("account").ID(), 255)
	o := object{document.At("data", "object")}
	return Event{
		Acceptance: engine.Acceptance{
			Key:        engine.Key{Provider: Provider, EventID: id, Effect: Effect(eventType)},
			EventType:  eventType,
			Subject:    webhook.Text(o.At("client_reference_id").Text(), 255),
			Merchant:   account,
			Mode:       webhook.Mode(live),
			OccurredAt: occurred,
			Amount:     o.amount(eventType, document.At("data", "previous_attributes")),
			Customer:   webhook.Text(o.customer(), 255),
			Objects:    o.ids(document.At("related_object", "id").Text()),
			Payload:    json.RawMessage(webhook.Payload(body)),
		},
		Live:     live,
		Account:  account,
		Metadata: o.metadata(),
	}, nil
}

// instant reads Unix seconds, or the RFC 3339 text of Stripe's v2 events, between 1970 and 9998:
// times that Go and Postgres read alike.
func instant(created webhook.Node) (time.Time, bool) {
	t, err := time.Parse(time.RFC3339, created.Text())
	if seconds, ok := created.Int(); ok {
		t, err = time.Unix(seconds, 0), nil
	}
	t = t.UTC()
	return t, err == nil && t.Unix() > 0 && t.Year() < 9999
}

// object is the object of an event.
type object struct{ webhook.Node }

// ids collects the provider's ids in the order in which support would search for them: the object's
// own, the payment's, and those of related objects.
func (o object) ids(related string) []string {
	var ids webhook.Objects
	// Some objects, such as a balance, have no id.
	ids.Add(o.At("id").Text(), related)
	for _, name := range []string{"number", "payment_intent", "charge", "latest_charge", "invoice", "latest_invoice"} {
		ids.Add(o.At(name).ID())
	}
	// Since 2025-03-31 an invoice lists its payments and names its parent.
	for _, payment := range o.At("payments", "data").List() {
		ids.Add(payment.At("payment", "payment_intent").ID(), payment.At("payment", "charge").ID())
	}
	ids.Add(o.At("subscription").ID(), o.At("parent", "subscription_details", "subscription").ID(), o.At("receipt_number").Text())
	// Before 2022-11-15 a charge carried its refunds.
	for _, refund := range o.At("refunds", "data").List() {
		ids.Add(refund.ID())
	}
	return ids.IDs()
}

// customer is the customer's id. A dispute has none, but its charge does if it is expanded.
func (o object) customer() string {
	if id := o.At("customer").ID(); id != "" {
		return id
	}
	return o.At("charge", "customer").ID()
}

// metadata is the object's metadata and, for an invoice, the snapshot of its subscription's (at the
// top level before 2025-03-31). The object's own values take precedence.
func (o object) metadata() map[string]string {
	metadata := o.At("subscription_details", "metadata").Texts()
	maps.Copy(metadata, o.At("parent", "subscription_details", "metadata").Texts())
	maps.Copy(metadata, o.At("metadata").Texts())
	return metadata
}
