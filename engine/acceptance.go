package engine

import (
	"encoding/json"
	"time"
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

	// EventType is the provider's type, such as "invoice.paid". At most 128 bytes.
	EventType string
	// Subject is the app's own reference: user, account, workspace or order. At most 255 bytes.
	Subject string
	// Shop is the shop's domain where the provider has shops. At most 255 bytes.
	Shop string
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
	// Customer is who is affected, in the provider's or the app's terms. At most 255 bytes.
	Customer string
	// Version is the app's deploy label. At most 128 bytes.
	Version string
	// Objects are the provider's ids that support holds in hand: invoice,
	// checkout session, payment intent, charge, order number. At most 16 of 255 bytes.
	Objects []string
	// Payload is the event as received. It is kept, encrypted, only where the
	// project has snapshots on; elsewhere it is ignored. At most 512 KiB.
	Payload json.RawMessage
}

// The bounds that Postgres, pgx and JSON all store exactly.
var (
	earliest = time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC)
	latest   = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)
)

// validate returns a [*FieldError] for the first field that could not be kept.
func (a Acceptance) validate() error {
	if err := a.Key.validate(); err != nil {
		return err
	}
	for _, text := range []struct {
		field, value string
		limit        int
	}{
		{"EventType", a.EventType, 128}, {"Subject", a.Subject, 255}, {"Shop", a.Shop, 255},
		{"Customer", a.Customer, 255}, {"Version", a.Version, 128},
	} {
		if err := validText(text.field, text.value, text.limit); err != nil {
			return err
		}
	}
	if a.Mode != "" && a.Mode != "live" && a.Mode != "test" {
		return &FieldError{"Mode", "must be live, test or empty"}
	}
	if len(a.Objects) > 16 {
		return &FieldError{"Objects", "holds more than 16 ids"}
	}
	for _, id := range a.Objects {
		if err := validName("Objects", id, 255); err != nil {
			return err
		}
	}
	if !a.OccurredAt.IsZero() && (a.OccurredAt.Before(earliest) || a.OccurredAt.After(latest)) {
		return &FieldError{"OccurredAt", "lies outside the years 1970 to 9999"}
	}
	if a.Timeout != 0 && (a.Timeout < time.Second || a.Timeout > 30*24*time.Hour) {
		return &FieldError{"Timeout", "must lie between 1 second and 30 days"}
	}
	if c := a.Amount.Currency; c != "" && (len(c) != 3 || !letters(c)) {
		return &FieldError{"Amount.Currency", "is not an ISO 4217 code of three letters"}
	}
	if len(a.Payload) > 0 {
		return validPayload(a.Payload)
	}
	return nil
}

func letters(s string) bool {
	for _, r := range s {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') {
			return false
		}
	}
	return true
}
