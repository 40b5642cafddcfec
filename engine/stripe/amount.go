package stripe

import (
	"math"
	"strings"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/internal/webhook"
	"github.com/sendpromptly/sendpromptly/internal/currency"
)

// amount is the event's amount, or the zero Money if it is not exact. previous has the values
// before the event.
func (o object) amount(eventType string, previous webhook.Node) engine.Money {
	var amount int64
	var ok bool
	switch eventType {
	case "checkout.session.completed":
		amount, ok = o.At("amount_total").Int()
	case "invoice.paid":
		amount, ok = o.At("amount_paid").Int()
	case "charge.refunded":
		// amount_refunded is the sum of all refunds of the charge; subtract what was refunded
		// before.
		amount, ok = o.At("amount_refunded").Int()
		if before, had := previous.At("amount_refunded").Int(); ok && had && 0 <= before && before <= amount {
			amount -= before
		}
	case "charge.dispute.created":
		amount, ok = o.At("amount").Int()
	}
	code := strings.ToUpper(o.At("currency").Text())
	if !ok || amount < 0 || !currency.IsCode(code) {
		return engine.Money{}
	}
	if amount, ok = minorUnits(amount, code); !ok {
		return engine.Money{}
	}
	return engine.Money{Minor: amount, Currency: code}
}

// minorUnits converts Stripe's smallest unit to that of ISO 4217. Source:
// https://docs.stripe.com/currencies, "special cases" (ISK and UGX are written with two decimals,
// always 00) and "zero-decimal currencies" (MGA).
func minorUnits(amount int64, code string) (int64, bool) {
	switch code {
	case "ISK", "UGX":
		return amount / 100, amount%100 == 0
	case "MGA":
		return amount * 100, amount <= math.MaxInt64/100
	}
	return amount, true
}
