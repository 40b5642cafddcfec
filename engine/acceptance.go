package engine

import (
	"encoding/json"
	"time"

	"github.com/sendpromptly/sendpromptly/internal/input"
)

// EffectID identifies one effect: a UUID in its text form.
type EffectID string

// Money is an amount in the minor unit of its currency: 1999 "EUR" is 19.99 €,
// and 0 "EUR" is nothing to pay. The zero value means that no amount is known.
type Money struct {
	// Minor counts minor units; it may be negative (a deduction).
	Minor int64
	// Currency is the ISO 4217 code: three letters, any case.
	Currency string
}

// Known says whether there is an amount: 0 counts where it has a currency.
func (m Money) Known() bool { return m != Money{} }

// Acceptance is what an app knows when it takes work on: the key, and whatever
// support and operators will ask for later. Only the key is required.
type Acceptance struct {
	Key

	// EventType is the provider's type, such as "invoice.paid". At most 128 characters.
	EventType string
	// Subject is the app's own reference: user, account, workspace or order. At most 255 characters.
	Subject string
	// Merchant is on whose behalf: the Shopify shop's domain, the Stripe connected account. At most 255 characters.
	Merchant string
	// SourceEvent is the provider's id of the event that told of it, where the key's EventID names an object (an
	// invoice, an order) and not that event. It is empty where the two are the same. At most 255 characters without spaces.
	SourceEvent string
	// Mode is "live" or "test" where the provider says so. It is not kept, but
	// refused where the project is set to the other mode.
	Mode string
	// OccurredAt is when the provider says that it happened; zero if unknown.
	OccurredAt time.Time
	// Timeout is how long the outcome may take, from acceptance: 1 second to
	// 30 days. Zero takes the project's timeout.
	Timeout time.Duration
	// Amount is what was paid, for the incident's one-sentence story.
	Amount Money
	// Customer is who is affected, in the provider's or the app's terms. At most 255 characters.
	Customer string
	// Version is the app's deploy label. At most 128 characters.
	Version string
	// Objects are the provider's ids that support holds in hand: invoice,
	// checkout session, payment intent, charge, order number. At most 16 of 255 characters.
	Objects []string
	// Payload is the event as received. It is kept, encrypted, only where the
	// project has snapshots on; elsewhere it is ignored. At most 512 KiB.
	Payload json.RawMessage
}

// validate returns a [*FieldError] for the first field that could not be kept.
func (a Acceptance) validate() error {
	if err := a.Key.validate(); err != nil {
		return err
	}
	for _, text := range []struct {
		field, value string
		limit        int
	}{
		{"EventType", a.EventType, input.TypeLimit},
		{"Subject", a.Subject, input.NameLimit},
		{"Merchant", a.Merchant, input.NameLimit},
		{"Customer", a.Customer, input.NameLimit},
		{"Version", a.Version, input.TypeLimit},
	} {
		if reason := input.Text(text.value, text.limit); reason != "" {
			return &FieldError{text.field, reason}
		}
	}
	if a.SourceEvent != "" {
		if reason := input.Name(a.SourceEvent, input.NameLimit); reason != "" {
			return &FieldError{"SourceEvent", reason}
		}
	}
	if a.Mode != "" && a.Mode != "live" && a.Mode != "test" {
		return &FieldError{"Mode", "must be live, test or empty"}
	}
	if len(a.Objects) > maxObjects {
		return &FieldError{"Objects", "holds more than 16 ids"}
	}
	for _, id := range a.Objects {
		if reason := input.Name(id, input.NameLimit); reason != "" {
			return &FieldError{"Objects", reason}
		}
	}
	if a.Timeout != 0 && (a.Timeout < time.Second || a.Timeout > 30*24*time.Hour) {
		return &FieldError{"Timeout", "must lie between 1 second and 30 days"}
	}
	return a.validateEvent()
}

// maxObjects is how many ids of the provider's an acceptance may carry.
const maxObjects = 16

// validateEvent is validate for what the provider said.
func (a Acceptance) validateEvent() error {
	if !a.OccurredAt.IsZero() {
		if reason := input.Time(a.OccurredAt); reason != "" {
			return &FieldError{"OccurredAt", reason}
		}
	}
	if a.Amount.Currency != "" {
		if reason := input.Currency(a.Amount.Currency); reason != "" {
			return &FieldError{"Amount.Currency", reason}
		}
	}
	if len(a.Payload) > 0 {
		if reason := input.JSON(a.Payload, maxPayload); reason != "" {
			return &FieldError{"Payload", reason}
		}
	}
	return nil
}

// maxPayload is the largest payload, in bytes.
const maxPayload = 512 << 10
