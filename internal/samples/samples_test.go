package samples_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/shopify"
	"github.com/sendpromptly/sendpromptly/engine/stripe"
	"github.com/sendpromptly/sendpromptly/internal/samples"
)

func each(t *testing.T, test func(t *testing.T, provider, eventType string)) {
	n := 0
	for provider, types := range samples.Types {
		for _, eventType := range types {
			n++
			t.Run(eventType, func(t *testing.T) { test(t, provider, eventType) })
		}
	}
	if n != 10 {
		t.Errorf("%d event types, want ten", n)
	}
}

// Without values a sample is its file, byte for byte.
func TestZeroValuesChangeNothing(t *testing.T) {
	each(t, func(t *testing.T, provider, eventType string) {
		want, err := os.ReadFile(filepath.Join(provider, strings.ReplaceAll(eventType, "/", "_")+".json"))
		if err != nil {
			t.Fatal(err)
		}
		// A sample is a test event; only orders say so in the body.
		want = bytes.Replace(want, []byte(`"test": false`), []byte(`"test": true`), 1)
		got, err := samples.Body(provider, eventType, samples.Values{})
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%v\n%s", err, got)
		}
	})
}

func TestValuesTakeThePlaceOfTheSamples(t *testing.T) {
	now := time.Date(2026, 3, 5, 12, 30, 0, 0, time.UTC)
	values := samples.Values{
		EventID: "evt_mine", Customer: "9007199254999999", Reference: "acct \"7\" <ü>", Amount: 123456, Currency: "eur",
		At: now, Live: true, Shop: "other.myshopify.com",
	}
	each(t, func(t *testing.T, provider, eventType string) {
		body, header, err := samples.Signed(provider, eventType, "s", values, now)
		if err != nil {
			t.Fatal(err)
		}
		if !json.Valid(body) {
			t.Fatalf("no JSON: %s", body)
		}
		for _, old := range []string{
			"evt_1SkVfQK8mWzT3bYpQ7xLd2Nh", "cus_T4vXq8LmN2pRbK", "9007199254740993", "acct_1042",
			"4900", "49.00", "usd", "USD", "1042", "1767225600",
		} {
			if bytes.Contains(body, []byte(old)) {
				t.Errorf("still holds %s", old)
			}
		}
		a, live, reference := parse(t, provider, body, header, now)
		if a.EventID != "evt_mine" || !a.OccurredAt.Equal(now) || !live {
			t.Errorf("got %s, %v, live %v", a.EventID, a.OccurredAt, live)
		}
		if a.Customer != "9007199254999999" && eventType != "charge.dispute.created" {
			t.Errorf("customer %q", a.Customer)
		}
		if a.Amount.Currency != "" && (a.Amount.Minor != 123456 || a.Amount.Currency != "EUR") {
			t.Errorf("amount %v", a.Amount)
		}
		if reference != values.Reference && eventType != "customers/create" {
			t.Errorf("reference %q", reference)
		}
		if provider == shopify.Provider && a.Merchant != "other.myshopify.com" {
			t.Errorf("shop %q", a.Merchant)
		}
	})
}

func parse(
	t *testing.T,
	provider string,
	body []byte,
	header http.Header,
	now time.Time,
) (a engine.Acceptance, live bool, reference string) {
	t.Helper()
	if provider == stripe.Provider {
		e, err := stripe.Open(body, header, now, "s")
		if err != nil {
			t.Fatal(err)
		}
		return e.Acceptance, e.Live, e.Metadata["account_id"]
	}
	e, err := shopify.Open(body, header, "s")
	if err != nil {
		t.Fatal(err)
	}
	return e.Acceptance, e.Live, e.Attributes["account_id"]
}

// Two events share no object, and one event names its objects alike wherever
// it does.
func TestEveryEventHasObjectsOfItsOwn(t *testing.T) {
	each(t, func(t *testing.T, provider, eventType string) {
		seen := map[string]string{}
		for _, id := range []string{"evt_a", "evt_b", "evt_c", "evt_d", "evt_a"} {
			body, header, err := samples.Signed(provider, eventType, "s", samples.Values{EventID: id}, time.Unix(1767225600, 0))
			if err != nil {
				t.Fatal(err)
			}
			a, _, _ := parse(t, provider, body, header, time.Unix(1767225600, 0))
			for _, object := range a.Objects {
				if object == a.Customer {
					continue
				}
				if other := seen[object]; other != "" && other != id {
					t.Errorf("%s and %s both name %s", other, id, object)
				}
				seen[object] = id
				if n, err := strconv.ParseInt(object, 10, 64); err == nil && n > 10000 && n <= 1<<53 {
					t.Errorf("%s lies within 2^53", object)
				}
			}
		}
	})
}

func TestAmountsKeepTheirFormInEveryCurrency(t *testing.T) {
	for code, want := range map[string]string{
		"JPY": `"total_price": "500"`, "KWD": `"total_price": "0.500"`,
		"EUR": `"total_price": "5.00"`,
	} {
		body, err := samples.Body("shopify", "orders/paid", samples.Values{Amount: 500, Currency: code})
		if err != nil || !bytes.Contains(body, []byte(want)) {
			t.Errorf("%s: %v, no %s", code, err, want)
		}
	}
}

func TestNoSuchSample(t *testing.T) {
	for _, test := range []struct{ provider, eventType, customer string }{
		{"stripe", "payout.paid", ""}, {"paypal", "invoice.paid", ""}, {"shopify", "../stripe/invoice.paid", ""}, {
			"shopify",
			"orders/paid", "cus_1",
		},
	} {
		if _, _, err := samples.Signed(
			test.provider,
			test.eventType,
			"s",
			samples.Values{Customer: test.customer},
			time.Time{},
		); err == nil {
			t.Errorf("%v: no error", test)
		}
	}
}
