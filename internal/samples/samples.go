// Package samples has a realistic body for each of the ten event types that SendPromptly knows, and
// can fill in other values. It is for tests, the demo's sender and anyone who wants to see a signed
// webhook.
//
// The bodies follow Stripe's API version 2026-06-24 and Shopify's REST Admin resources; people, ids
// and shops are invented. Shopify's ids are above 2^53, as real ones may be.
package samples

import (
	"embed"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/sendpromptly/sendpromptly/engine/shopify"
	"github.com/sendpromptly/sendpromptly/engine/stripe"
)

//go:embed stripe/*.json shopify/*.json
var files embed.FS

// Types are the event types of which there is a sample, by provider.
var Types = map[string][]string{
	stripe.Provider: {
		"checkout.session.completed", "invoice.paid", "customer.subscription.updated",
		"customer.subscription.deleted", "charge.refunded", "charge.dispute.created",
	},
	shopify.Provider: {"orders/paid", "orders/fulfilled", "customers/create", "checkouts/create"},
}

// Values replace a sample's own values. A zero field keeps the sample's value.
type Values struct {
	// EventID is the provider's id of the event. The ids of the objects in the body (invoice,
	// charge, order …) and the order number are derived from it, so that two events never share an
	// object by accident.
	EventID string
	// Customer is the provider's id: "cus_…" for Stripe, digits for Shopify.
	Customer string
	// Reference is the app's own id: Stripe's client_reference_id and metadata account_id,
	// Shopify's note attribute account_id. Samples of customers/create have none.
	Reference string
	// Amount is in minor units of Currency, an ISO 4217 code in any case. Zero keeps the sample's
	// amount.
	Amount   int64
	Currency string
	// At is when the event happened; all other times in the body move with it.
	At time.Time
	// Live makes a live event. Samples are test events.
	Live bool
	// Shop is the shop's domain (Shopify only).
	Shop string
}

// Body returns the body of an event, not signed. It returns an error if there is no such sample, or
// if a Shopify customer is not a number.
func Body(provider, eventType string, v Values) ([]byte, error) {
	if !slices.Contains(Types[provider], eventType) {
		return nil, fmt.Errorf("no sample of %s %s", provider, eventType)
	}
	if provider == shopify.Provider && strings.Trim(v.Customer, "0123456789") != "" {
		return nil, fmt.Errorf("a shopify customer's id is a number")
	}
	body, err := files.ReadFile(provider + "/" + strings.ReplaceAll(eventType, "/", "_") + ".json")
	if err != nil {
		return nil, err
	}
	return rewrite(body, v), nil
}

// Signed returns a body and the headers of the provider's request, signed now with the secret.
func Signed(provider, eventType, secret string, v Values, now time.Time) ([]byte, http.Header, error) {
	body, err := Body(provider, eventType, v)
	if err != nil {
		return nil, nil, err
	}
	header := http.Header{"Content-Type": {"application/json"}}
	if provider == stripe.Provider {
		header.Set(stripe.SignatureHeader, stripe.Sign(body, secret, now))
		return body, header, nil
	}
	header.Set(shopify.SignatureHeader, shopify.Sign(body, secret))
	header.Set(shopify.TopicHeader, eventType)
	header.Set(shopify.ShopHeader, or(v.Shop, sampleShop))
	header.Set(shopify.EventIDHeader, or(v.EventID, sampleShopifyEvent))
	header.Set(shopify.WebhookIDHeader, fmt.Sprintf("%x", digest("webhook", v.EventID)[:16]))
	header.Set(shopify.TriggeredAtHeader, sampleTime.Add(v.shift()).Format(time.RFC3339Nano))
	header.Set("X-Shopify-Api-Version", "2025-10")
	if !v.Live {
		header.Set(shopify.TestHeader, "true")
	}
	return body, header, nil
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
