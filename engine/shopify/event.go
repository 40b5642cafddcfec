package shopify

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/internal/webhook"
	"github.com/sendpromptly/sendpromptly/internal/currency"
)

// ParseUnverified parses an event without checking its signature. Use it only for bodies that were
// already verified or that were read from Shopify's API.
//
// It returns a [*MalformedError] if a header with the topic, shop or id is missing or malformed, or
// if the body is not one JSON object.
func ParseUnverified(body []byte, header http.Header) (Event, error) {
	topic, shop := header.Get(TopicHeader), strings.ToLower(header.Get(ShopHeader))
	if !isTopic(topic) {
		return Event{}, &MalformedError{TopicHeader, "is not a topic"}
	}
	if !isShop(shop) {
		return Event{}, &MalformedError{ShopHeader, "is not a shop's domain"}
	}
	idHeader := EventIDHeader
	if header.Get(idHeader) == "" {
		idHeader = WebhookIDHeader
	}
	if !webhook.IsName(header.Get(idHeader), 255) {
		return Event{}, &MalformedError{idHeader, "is not an event id"}
	}
	document, err := webhook.Parse(body)
	if err != nil {
		return Event{}, &MalformedError{"body", err.Error()}
	}
	r := resource{document, topic}
	live := !r.isTest() && header.Get(TestHeader) != "true"
	return Event{
		Acceptance: engine.Acceptance{
			Key:        engine.Key{Provider: Provider, EventID: header.Get(idHeader), Effect: Effect(topic)},
			EventType:  topic,
			Merchant:   shop,
			Mode:       webhook.Mode(live),
			OccurredAt: triggered(header.Get(TriggeredAtHeader)),
			Amount:     r.amount(),
			Customer:   r.customer(),
			Objects:    r.ids(),
			Payload:    json.RawMessage(webhook.Payload(body)),
		},
		Live:       live,
		Attributes: r.attributes(),
	}, nil
}

// isTopic reports whether s is a resource and an event, such as "orders/paid": at most 128 bytes of
// a-z, 0-9, "_", "-" and "/".
func isTopic(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '_', c == '-', c == '/':
		default:
			return false
		}
	}
	resource, event, found := strings.Cut(s, "/")
	return found && resource != "" && event != "" && len(s) <= 128
}

// isShop reports whether s is NAME.myshopify.com. Shopify always uses this form, even if the shop
// has other domains. The check is strict, because the header is not signed and apps find access
// tokens by it.
func isShop(s string) bool {
	name, found := strings.CutSuffix(s, ".myshopify.com")
	for i := range len(name) {
		if c := name[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && (c != '-' || i == 0) {
			return false
		}
	}
	return found && name != "" && len(s) <= 255
}

// triggered is zero if s is not a time, or not one that Go and Postgres read alike.
func triggered(s string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s)
	t = t.UTC()
	if err != nil || t.Unix() <= 0 || t.Year() >= 9999 {
		return time.Time{}
	}
	return t
}

// resource is the object that a topic sends.
type resource struct {
	webhook.Node
	topic string
}

// is reports whether the topic is about this kind of resource.
func (r resource) is(kind string) bool { return strings.HasPrefix(r.topic, kind+"/") }

// ids collects the ids in the order in which support would search for them. In other resources,
// "name" or "token" may be a person's name or a secret.
func (r resource) ids() []string {
	var ids webhook.Objects
	ids.Add(r.At("id").Text())
	if r.is("orders") || r.is("checkouts") {
		ids.Add(r.At("name").Text())
	}
	ids.Add(r.At("order_number").Text(), r.At("confirmation_number").Text())
	ids.Add(r.At("checkout_id").Text(), r.At("checkout_token").Text())
	if r.is("checkouts") {
		ids.Add(r.At("token").Text())
	}
	ids.Add(r.At("order_id").Text())
	for _, fulfillment := range r.At("fulfillments").List() {
		ids.Add(fulfillment.ID())
	}
	return ids.IDs()
}

func (r resource) customer() string {
	if r.is("customers") {
		return webhook.Text(r.At("id").Text(), 255)
	}
	return webhook.Text(r.At("customer").ID(), 255)
}

// amount is the resource's total, or the zero Money if it is not exact.
func (r resource) amount() engine.Money {
	code := strings.ToUpper(r.At("currency").Text())
	minor, ok := currency.Parse(r.At("total_price").Text(), code)
	if !ok {
		return engine.Money{}
	}
	return engine.Money{Minor: minor, Currency: code}
}

func (r resource) isTest() bool {
	test, _ := r.At("test").Bool()
	return test
}

func (r resource) attributes() map[string]string {
	attributes := map[string]string{}
	for _, a := range r.At("note_attributes").List() {
		if name := a.At("name").Text(); name != "" {
			attributes[name] = a.At("value").Text()
		}
	}
	return attributes
}
