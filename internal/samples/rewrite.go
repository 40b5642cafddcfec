package samples

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/sendpromptly/sendpromptly/internal/currency"
)

// The values in the files that a caller can replace. They are found by value, not by path: an
// amount is in lines, totals and payments, and all of them must agree.
const (
	sampleStripeEvent  = "evt_1SkVfQK8mWzT3bYpQ7xLd2Nh"
	sampleShopifyEvent = "6f1c1f9e-53a7-4b36-9d0b-2f2a8c7e4d11"
	sampleShop         = "brightpage.myshopify.com"
	sampleReference    = "acct_1042"
	sampleOrder        = 1042
	sampleAmount       = 4900
)

var (
	sampleTime = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	// token is a JSON text, number or member of truth value.
	token = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|-?[0-9]+|\b(?:true|false)\b`)
	// objectID is an id that belongs to one event: Stripe's with their prefix
	// and Shopify's of 16 digits, which also stand in longer texts.
	objectID = regexp.MustCompile(`\b(?:cs_test|inpay|il|in|pi|ch|sub|si|du|txn|req)_[A-Za-z0-9]+\b|\b9007199254[0-9]{6}\b|#` +
		strconv.Itoa(sampleOrder) + `\b|\b[0-9a-f]{32}\b|\bQKZ[0-9A-Z]{6}\b|\b(?:[0-9A-F]{8}|[0-9]{4})-[0-9]{4}\b`)
	sampleCustomers = []string{"cus_T4vXq8LmN2pRbK", "9007199254740993"}
)

// rewrite replaces the values and keeps the order and layout of the file.
func rewrite(body []byte, v Values) []byte {
	name := ""
	return token.ReplaceAllFunc(body, func(t []byte) []byte {
		switch {
		case t[0] == '"':
			var text string
			if json.Unmarshal(t, &text) != nil {
				return t
			}
			name, text = text, v.text(text)
			return quote(text)
		case t[0] == 't' || t[0] == 'f':
			return []byte(v.truth(name, string(t)))
		}
		return []byte(v.number(string(t)))
	})
}

// truth knows the two members that tell test from live.
func (v Values) truth(name, old string) string {
	switch name {
	case "livemode":
		return strconv.FormatBool(v.Live)
	case "test":
		return strconv.FormatBool(!v.Live)
	}
	return old
}

func (v Values) text(old string) string {
	switch old {
	case sampleStripeEvent:
		return or(v.EventID, old)
	case sampleReference:
		return or(v.Reference, old)
	case "usd":
		return strings.ToLower(or(v.Currency, old))
	case "USD":
		return strings.ToUpper(or(v.Currency, old))
	case "49.00", "0.00":
		minor, _ := currency.Parse(old, "USD")
		return currency.Format(v.amount(minor), or(v.Currency, "USD"))
	}
	if at, err := time.Parse(time.RFC3339, old); err == nil {
		return at.Add(v.shift()).Format(time.RFC3339)
	}
	if changed := v.number(old); changed != old {
		return changed
	}
	for _, customer := range sampleCustomers {
		if strings.HasSuffix(old, customer) {
			return strings.TrimSuffix(old, customer) + or(v.Customer, customer)
		}
	}
	return objectID.ReplaceAllStringFunc(old, v.ownID)
}

func (v Values) number(old string) string {
	n, err := strconv.ParseInt(old, 10, 64)
	switch {
	case err != nil:
		return old
	case n == sampleAmount || n == -sampleAmount:
		return strconv.FormatInt(n/sampleAmount*v.amount(sampleAmount), 10)
	case n == sampleOrder:
		return strings.TrimPrefix(v.ownID("#"+old), "#")
	case n > 1.7e9 && n < 1.8e9:
		return strconv.FormatInt(n+int64(v.shift()/time.Second), 10)
	case old == sampleCustomers[1]:
		return or(v.Customer, old)
	}
	return objectID.ReplaceAllStringFunc(old, v.ownID)
}

func (v Values) amount(old int64) int64 {
	if old != sampleAmount || v.Amount == 0 {
		return old
	}
	return v.Amount
}

func (v Values) shift() time.Duration {
	if v.At.IsZero() {
		return 0
	}
	return v.At.Truncate(time.Second).Sub(sampleTime)
}

// ownID derives an object's id from the sample's and the event's. It has the same form: the last
// characters change, upper case stays upper, digits stay digits.
func (v Values) ownID(old string) string {
	if v.Live {
		old = strings.Replace(old, "cs_test_", "cs_live_", 1)
	}
	if v.EventID == "" {
		return old
	}
	seed := digest(old, v.EventID)
	if strings.HasPrefix(old, "#") {
		return "#" + strconv.FormatUint(1000+binary.BigEndian.Uint64(seed[:8])%9000, 10)
	}
	if strings.HasPrefix(old, "9007199254") {
		// Above 9007199254750000 every one is beyond 2^53.
		return old[:10] + strconv.FormatUint(750000+binary.BigEndian.Uint64(seed[:8])%250000, 10)
	}
	id := []byte(old)
	for i := range 8 {
		at := len(id) - 1 - i
		switch c := id[at]; {
		case c >= '0' && c <= '9':
			id[at] = '0' + seed[i]%10
		case c >= 'a' && c <= 'f':
			id[at] = 'a' + seed[i]%6
		case c >= 'a' && c <= 'z':
			id[at] = 'a' + seed[i]%26
		case c >= 'A' && c <= 'F':
			id[at] = 'A' + seed[i]%6
		case c >= 'A' && c <= 'Z':
			id[at] = 'A' + seed[i]%26
		}
	}
	return string(id)
}

func digest(texts ...string) []byte {
	sum := sha256.Sum256([]byte(strings.Join(texts, "\x00")))
	return sum[:]
}

// quote writes a JSON text without escaping what HTML would need escaped.
func quote(text string) []byte {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	// A string always encodes.
	_ = e.Encode(text)
	return []byte(strings.TrimSuffix(b.String(), "\n"))
}
