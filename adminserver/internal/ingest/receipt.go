package ingest

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/input"
	"github.com/sendpromptly/sendpromptly/internal/store/access"
)

// The known providers, with their event types.
const (
	stripe  = "stripe"
	shopify = "shopify"
)

var (
	eventTypes = map[string][]string{
		stripe: {
			"checkout.session.completed", "invoice.paid", "customer.subscription.deleted", "customer.subscription.updated",
			"charge.refunded", "charge.dispute.created",
		},
		shopify: {"orders/paid", "orders/fulfilled", "customers/create", "checkouts/create"},
	}
	effectTypes = []string{
		"access_unlock",
		"credit_grant",
		"seat_update",
		"subscription_state_apply",
		"access_revocation",
		"credit_deduction",
	}
)

// maxTimeoutMinutes is 30 days.
const maxTimeoutMinutes = 30 * 24 * 60

// readReceipt reads a receipt's body. The error names every wrong field.
func readReceipt(members object) (engine.Acceptance, error) {
	f := newForm(members)
	a := engine.Acceptance{
		Subject: f.short("internal_reference", 255), OccurredAt: f.moment("occurred_at"),
		Customer: f.short("customer", 255), Version: f.short("version", 128), Payload: f.nested("payload"),
	}
	a.Provider = f.provider()
	f.required("provider", a.Provider)
	a.EventID = f.eventID(a.Provider)
	f.types(&a)
	f.required("internal_reference", a.Subject)
	if a.OccurredAt.IsZero() {
		f.required("occurred_at", "")
	}
	a.Merchant, a.SourceEvent = f.merchant(a.Provider), f.name("source_event_id", 255)
	a.Objects = f.names("objects", 16, 255)
	if minutes, given := f.integer("timeout_minutes"); given {
		if minutes < 1 || minutes > maxTimeoutMinutes {
			f.reject("timeout_minutes", "must be between 1 and 43200 (30 days)")
		} else {
			a.Timeout = time.Duration(minutes) * time.Minute
		}
	}
	a.Amount = f.money()
	if live, given := f.flag("livemode"); given {
		a.Mode = "test"
		if live {
			a.Mode = "live"
		}
	}
	return a, f.problem()
}

// provider reads a provider's name.
func (f *form) provider() string {
	name := f.text("provider")
	if name != "" && input.Provider(name) != "" {
		f.reject("provider", "must be stripe, shopify or another name of 1 to 64 characters from a-z, 0-9, _ and -")
		return ""
	}
	return name
}

// eventID reads the event's id under its name or under Stripe's older one.
func (f *form) eventID(provider string) string {
	id, older := f.name("provider_event_id", 255), f.name("stripe_event_id", 255)
	switch {
	case older == "":
	case provider != "" && provider != stripe:
		f.reject("stripe_event_id", "is only for the provider stripe: use provider_event_id")
	case id == "":
		id = older
	case id != older:
		f.reject("stripe_event_id", "differs from provider_event_id")
	}
	f.required("provider_event_id", id)
	return id
}

// types reads the event's and the effect's type. Those of stripe and shopify
// are listed; any other provider has its own.
func (f *form) types(a *engine.Acceptance) {
	if known, listed := eventTypes[a.Provider]; listed {
		a.EventType, a.Effect = f.text("event_type"), f.text("effect_type")
		f.oneOf("event_type", a.EventType, known)
		f.oneOf("effect_type", a.Effect, effectTypes)
	} else {
		a.EventType, a.Effect = f.short("event_type", 128), f.name("effect_type", 64)
	}
	f.required("event_type", a.EventType)
	f.required("effect_type", a.Effect)
}

// merchant reads the merchant. Shopify's shops have their own field, which must agree with it.
func (f *form) merchant(provider string) string {
	merchant, shop := f.short("merchant", 255), f.shop(provider)
	switch {
	case shop == "":
		return merchant
	case merchant != "" && !strings.EqualFold(merchant, shop):
		f.reject("merchant", "differs from shopify_shop_domain")
	}
	return shop
}

// shop reads NAME.myshopify.com, the form in which Shopify names every shop.
func (f *form) shop(provider string) string {
	domain := strings.ToLower(f.short("shopify_shop_domain", 255))
	switch {
	case provider != shopify && domain != "" && provider != "":
		f.reject("shopify_shop_domain", "is only for the provider shopify")
	case provider == shopify && domain == "":
		f.required("shopify_shop_domain", "")
	case domain != "" && !isShop(domain):
		f.reject("shopify_shop_domain", "must have the form mystore.myshopify.com")
	}
	return domain
}

func isShop(domain string) bool {
	name, found := strings.CutSuffix(domain, ".myshopify.com")
	for i := range len(name) {
		if c := name[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && (c != '-' || i == 0) {
			return false
		}
	}
	return found && name != ""
}

// money reads an amount in minor units and its currency: both or neither.
func (f *form) money() engine.Money {
	amount, given := f.integer("amount")
	code := f.text("currency")
	switch {
	case code != "" && input.Currency(code) != "":
		f.reject("currency", input.Currency(code))
	case given && code == "":
		f.reject("currency", "is required with amount")
	case code != "" && !given:
		f.reject("amount", "is required with currency")
	default:
		return engine.Money{Minor: amount, Currency: code}
	}
	return engine.Money{}
}

// receiptAnswer is the answer to a receipt.
type receiptAnswer struct {
	Accepted  bool      `json:"accepted"`
	EventID   string    `json:"event_id"`
	TimeoutAt time.Time `json:"timeout_at"`
	Duplicate bool      `json:"duplicate,omitempty"`
	// State is the effect's state when a duplicate arrived.
	State engine.State `json:"state,omitempty"`
}

// receipt records a receipt.
func (a *api) receipt(ctx context.Context, tx pgx.Tx, e *engine.Engine, _ access.KeyOwner, members object) (done, error) {
	acceptance, err := readReceipt(members)
	if err != nil {
		return done{}, err
	}
	receipt, err := e.Accept(ctx, tx, acceptance)
	if err != nil {
		return done{}, renamed(err)
	}
	answer := receiptAnswer{
		Accepted:  true,
		EventID:   string(receipt.EffectID),
		TimeoutAt: receipt.Deadline.UTC(),
		Duplicate: receipt.Duplicate,
	}
	if receipt.Duplicate {
		answer.State = receipt.State
	}
	body, err := json.Marshal(answer)
	return done{body: body}, err
}

// wireNames are the API's names for the fields of the engine's errors.
var wireNames = map[string]string{
	"Provider":        "provider",
	"EventID":         "provider_event_id",
	"Effect":          "effect_type",
	"EventType":       "event_type",
	"Subject":         "internal_reference",
	"Merchant":        "merchant",
	"SourceEvent":     "source_event_id",
	"Mode":            "livemode",
	"OccurredAt":      "occurred_at",
	"Timeout":         "timeout_minutes",
	"Customer":        "customer",
	"Version":         "version",
	"Objects":         "objects",
	"Amount.Currency": "currency",
	"Payload":         "payload",
}

// renamed turns an engine's field error into a validation error.
func renamed(err error) error {
	var field *engine.FieldError
	if !errors.As(err, &field) {
		return err
	}
	if name, known := wireNames[field.Field]; known {
		return invalid(name, field.Reason)
	}
	return invalid(field.Field, field.Reason)
}
