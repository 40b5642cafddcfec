package engine

import (
	"encoding/json"
	"time"

	"github.com/sendpromptly/sendpromptly/internal/input"
)

// EffectID is the id of one effect: a UUID in text form.
type EffectID string

// Money is an amount in the minor unit of its currency: 1999 "EUR" is 19.99 €. The zero value means
// that the amount is unknown; 0 "EUR" is a known amount of zero.
type Money struct {
	// Minor is the number of minor units. A deduction is negative.
	Minor int64
	// Currency is the ISO 4217 code: three letters in any case.
	Currency string
}

// Known reports whether the amount is known. Zero with a currency is known.
func (m Money) Known() bool { return m != Money{} }

// Acceptance is what an app knows when it accepts a job: the key, and the facts that operators and
// support need later. Only the key is required.
type Acceptance struct {
	Key

	// EventType is the provider's type, such as "invoice.paid". At most 128 characters.
	EventType string
	// Subject is the app's own id for the user, account, workspace or order: the reference. At most
	// 255 characters.
	Subject string
	// Merchant is the seller: the Shopify shop's domain or the Stripe connected account. At most
	// 255 characters.
	Merchant string
	// SourceEvent is the id of the provider's event, if the key's EventID names an object (an
	// invoice, an order) instead. Leave it empty if the two are the same. At most 255 characters
	// without spaces.
	SourceEvent string
	// Mode is "live", "test" or empty if unknown. It is not stored. Accept refuses a mode other
	// than the project's, if the project has one.
	Mode string
	// OccurredAt is the provider's time of the event; zero if unknown.
	OccurredAt time.Time
	// Timeout is the time from the receipt to the deadline: 1 second to 30 days. Zero means the
	// project's timeout.
	Timeout time.Duration
	// Amount is what was paid. The incident's summary shows it.
	Amount Money
	// Customer is the affected customer's id, the provider's or the app's. At most 255 characters.
	Customer string
	// Version is the app's release or deploy label. At most 128 characters.
	Version string
	// Objects are the provider's ids that support may search for: invoice, checkout session,
	// payment intent, charge, order number. At most 16, each of at most 255 characters.
	Objects []string
	// Payload is the event as received. It is stored, encrypted, only if the project has snapshots
	// on and the engine has a secret key; otherwise it is ignored. At most 512 KiB.
	Payload json.RawMessage
}

// validate returns a [*FieldError] for the first field that cannot be stored.
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
		return &FieldError{"Objects", "has more than 16 ids"}
	}
	for _, id := range a.Objects {
		if reason := input.Name(id, input.NameLimit); reason != "" {
			return &FieldError{"Objects", reason}
		}
	}
	if a.Timeout != 0 && (a.Timeout < time.Second || a.Timeout > 30*24*time.Hour) {
		return &FieldError{"Timeout", "must be between 1 second and 30 days"}
	}
	return a.validateEvent()
}

// maxObjects is the largest number of Objects.
const maxObjects = 16

// validateEvent checks the fields that come from the provider's event.
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
