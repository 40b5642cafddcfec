package shopify_test

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/shopify"
	"github.com/sendpromptly/sendpromptly/internal/samples"
)

func TestTheFourTopics(t *testing.T) {
	const customer = "9007199254740993" // 2^53 + 1
	usd := engine.Money{Minor: 4900, Currency: "USD"}
	order := []string{"9007199254741993", "#1042", "1042", "QKZ8T3M1V", "9007199254750417", "b7f3c9a25d8e41609c7be2f4a0d31586"}
	for _, test := range []struct {
		topic   string
		amount  engine.Money
		objects []string
		account string
	}{
		{"orders/paid", usd, order, "acct_1042"},
		{"orders/fulfilled", usd, append(order[:6:6], "9007199254788121"), "acct_1042"},
		{"customers/create", engine.Money{}, []string{customer}, ""},
		{"checkouts/create", usd, []string{"9007199254750417", "#9007199254750417", "b7f3c9a25d8e41609c7be2f4a0d31586"}, "acct_1042"},
	} {
		t.Run(test.topic, func(t *testing.T) {
			body, header, err := samples.Signed(shopify.Provider, test.topic, secret, samples.Values{Live: true}, time.Time{})
			if err != nil {
				t.Fatal(err)
			}
			got, err := shopify.Open(body, header, secret)
			if err != nil {
				t.Fatal(err)
			}
			want := engine.Acceptance{
				Key:        engine.Key{Provider: "shopify", EventID: "6f1c1f9e-53a7-4b36-9d0b-2f2a8c7e4d11", Effect: "access_unlock"},
				EventType:  test.topic,
				Merchant:   "brightpage.myshopify.com",
				Mode:       "live",
				OccurredAt: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
				Amount:     test.amount,
				Customer:   customer,
				Objects:    test.objects,
				Payload:    body,
			}
			if !reflect.DeepEqual(got.Acceptance, want) {
				t.Errorf("got  %+v\nwant %+v", got.Acceptance, want)
			}
			if !got.Live || got.Attributes["account_id"] != test.account {
				t.Errorf("live %v, attributes %v", got.Live, got.Attributes)
			}
		})
	}
}

func headers(topic string) http.Header {
	return http.Header{
		shopify.TopicHeader: {topic}, shopify.ShopHeader: {"Shop-1.myshopify.com"}, shopify.EventIDHeader: {"event-1"},
	}
}

func TestDocumentsThatDiffer(t *testing.T) {
	for _, test := range []struct {
		name, topic, body string
		customer          string
		amount            engine.Money
		objects           []string
		test              bool
	}{
		{
			name: "yen", topic: "orders/paid", body: `{"id":1,"total_price":"1000","currency":"JPY"}`,
			amount: engine.Money{Minor: 1000, Currency: "JPY"}, objects: []string{"1"},
		},
		{
			name: "dinar", topic: "orders/paid", body: `{"id":1,"total_price":"1.234","currency":"kwd"}`,
			amount: engine.Money{Minor: 1234, Currency: "KWD"}, objects: []string{"1"},
		},
		{
			name: "a price as a number", topic: "orders/paid", body: `{"id":1,"total_price":90071992547409.93,"currency":"USD"}`,
			amount: engine.Money{Minor: 9007199254740993, Currency: "USD"}, objects: []string{"1"},
		},
		{
			name:    "a price that is not exact",
			topic:   "orders/paid",
			body:    `{"id":1,"total_price":"1.005","currency":"USD"}`,
			objects: []string{"1"},
		},
		{name: "a test order", topic: "orders/paid", body: `{"id":1,"test":true}`, objects: []string{"1"}, test: true},
		{
			name:    "a guest's order",
			topic:   "orders/paid",
			body:    `{"id":1,"customer":null,"email":"a@example.com"}`,
			objects: []string{"1"},
		},
		{
			name:    "an order name with spaces",
			topic:   "orders/paid",
			body:    `{"id":1,"name":"Order 7","order_number":7}`,
			objects: []string{"1", "7"},
		},
		{
			name:    "a name and a token of something else",
			topic:   "products/update",
			body:    `{"id":1,"name":"Ann","token":"t"}`,
			objects: []string{"1"},
		},
		{
			name:    "another topic about an order",
			topic:   "refunds/create",
			body:    `{"id":2,"order_id":9007199254741993}`,
			objects: []string{"2", "9007199254741993"},
		},
		{
			name: "everything of another kind than expected", topic: "orders/paid",
			body: `{"id":[],"customer":true,"total_price":{},"currency":1,"test":"true","note_attributes":{"a":1},"fulfillments":7}`,
		},
		{name: "an empty object", topic: "orders/paid", body: `{}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := shopify.ParseUnverified([]byte(test.body), headers(test.topic))
			if err != nil {
				t.Fatal(err)
			}
			if got.Customer != test.customer || got.Amount != test.amount || got.Live == test.test || got.Attributes == nil {
				t.Errorf("got %+v", got)
			}
			if !reflect.DeepEqual(got.Objects, test.objects) || got.Merchant != "shop-1.myshopify.com" {
				t.Errorf("got objects %q, merchant %q", got.Objects, got.Merchant)
			}
		})
	}
}

func TestHeaders(t *testing.T) {
	const ok = ""
	for _, test := range []struct{ name, header, value, refused string }{
		{"as they come", shopify.TopicHeader, "orders/paid", ok},
		{"a topic without suggestion", shopify.TopicHeader, "app/uninstalled", ok},
		{"no topic", shopify.TopicHeader, "", shopify.TopicHeader},
		{"a topic without event", shopify.TopicHeader, "orders/", shopify.TopicHeader},
		{"a topic in the GraphQL spelling", shopify.TopicHeader, "ORDERS_PAID", shopify.TopicHeader},
		{"a topic with a space", shopify.TopicHeader, "orders/ paid", shopify.TopicHeader},
		{"a long topic", shopify.TopicHeader, "orders/" + strings.Repeat("p", 122), shopify.TopicHeader},
		{"no shop", shopify.ShopHeader, "", shopify.ShopHeader},
		{"no shop's name", shopify.ShopHeader, ".myshopify.com", shopify.ShopHeader},
		{"another host", shopify.ShopHeader, "shop.example.com", shopify.ShopHeader},
		{"another host in front", shopify.ShopHeader, "evil.example/shop.myshopify.com", shopify.ShopHeader},
		{"a host below", shopify.ShopHeader, "a.b.myshopify.com", shopify.ShopHeader},
		{"a dash in front", shopify.ShopHeader, "-a.myshopify.com", shopify.ShopHeader},
		{"a long shop", shopify.ShopHeader, strings.Repeat("a", 250) + ".myshopify.com", shopify.ShopHeader},
		{"no event id and no webhook id", shopify.EventIDHeader, "", shopify.WebhookIDHeader},
		{"an event id with a space", shopify.EventIDHeader, "a b", shopify.EventIDHeader},
		{"an event id that is no UTF-8", shopify.EventIDHeader, "a\xff", shopify.EventIDHeader},
		{"a long event id", shopify.EventIDHeader, strings.Repeat("e", 256), shopify.EventIDHeader},
	} {
		t.Run(test.name, func(t *testing.T) {
			header := headers("orders/paid")
			header.Set(test.header, test.value)
			_, err := shopify.ParseUnverified([]byte(`{}`), header)
			var malformed *shopify.MalformedError
			if test.refused == ok {
				if err != nil {
					t.Error(err)
				}
			} else if !errors.As(err, &malformed) || malformed.Field != test.refused {
				t.Errorf("got %v", err)
			} else if test.value != "" && strings.Contains(err.Error(), test.value) {
				t.Errorf("%q repeats what was received", err)
			}
		})
	}
}

func TestEventIDFallsBackToTheWebhookID(t *testing.T) {
	header := headers("orders/paid")
	header.Set(shopify.WebhookIDHeader, "webhook-1")
	if got, err := shopify.ParseUnverified([]byte(`{}`), header); err != nil || got.EventID != "event-1" {
		t.Errorf("with both: %q, %v", got.EventID, err)
	}
	header.Del(shopify.EventIDHeader)
	if got, err := shopify.ParseUnverified([]byte(`{}`), header); err != nil || got.EventID != "webhook-1" {
		t.Errorf("with the webhook id: %q, %v", got.EventID, err)
	}
}

func TestATestNotificationIsNotLive(t *testing.T) {
	header := headers("customers/create")
	for value, live := range map[string]bool{"": true, "false": true, "true": false} {
		header.Set(shopify.TestHeader, value)
		if got, err := shopify.ParseUnverified([]byte(`{"id":1}`), header); err != nil || got.Live != live {
			t.Errorf("%q: live %v, %v", value, got.Live, err)
		}
	}
}

func TestTriggeredAt(t *testing.T) {
	for value, want := range map[string]time.Time{
		"2026-01-01T01:00:00.123456789+01:00": time.Date(2026, 1, 1, 0, 0, 0, 123456789, time.UTC),
		"":                                    {},
		"yesterday":                           {},
		"0001-01-01T00:00:00Z":                {},
		"9999-12-31T23:59:59Z":                {},
		"10000-01-01T00:00:00Z":               {},
	} {
		header := headers("orders/paid")
		header.Set(shopify.TriggeredAtHeader, value)
		if got, err := shopify.ParseUnverified([]byte(`{}`), header); err != nil || !got.OccurredAt.Equal(want) {
			t.Errorf("%q: %v, %v", value, got.OccurredAt, err)
		}
	}
}

func TestMalformedBodies(t *testing.T) {
	for _, body := range []string{``, `null`, `[]`, `id=1`, `{} {}`, `{"id":1`} {
		header := headers("orders/paid")
		header.Set(shopify.SignatureHeader, shopify.Sign([]byte(body), secret))
		_, err := shopify.Open([]byte(body), header, secret)
		var malformed *shopify.MalformedError
		if !errors.As(err, &malformed) || malformed.Field != "body" || errors.Is(err, shopify.ErrSignature) {
			t.Errorf("%q: got %v", body, err)
		}
	}
}

func TestReceiveReadsAndVerifiesARequest(t *testing.T) {
	body, header, err := samples.Signed(shopify.Provider, "orders/paid", secret, samples.Values{}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	request := func(body []byte) *http.Request {
		r := httptest.NewRequest("POST", "/", bytes.NewReader(body))
		r.Header = header.Clone()
		return r
	}
	if got, err := shopify.Receive(request(body), "new", secret); err != nil || got.Live {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := shopify.Receive(request(append(body, ' ')), secret); !errors.Is(err, shopify.ErrSignature) {
		t.Errorf("altered: got %v", err)
	}
	var tooLong *http.MaxBytesError
	if _, err := shopify.Receive(request(make([]byte, shopify.MaxBody+1)), secret); !errors.As(err, &tooLong) {
		t.Errorf("too long: got %v", err)
	}
	// Longer than the engine keeps, and watched all the same.
	long := append(bytes.Repeat([]byte(" "), 600<<10), body...)
	r := request(long)
	r.Header.Set(shopify.SignatureHeader, shopify.Sign(long, secret))
	if got, err := shopify.Receive(r, secret); err != nil || got.Payload != nil || got.Amount.Minor != 4900 {
		t.Errorf("long: got %v, %v", got, err)
	}
}

func TestOpenVerifiesFirst(t *testing.T) {
	header := http.Header{shopify.SignatureHeader: {vector}}
	if _, err := shopify.Open([]byte("not JSON"), header, secret); !errors.Is(err, shopify.ErrSignature) {
		t.Errorf("got %v", err)
	}
}

// Whatever passes, the engine takes: its bounds are repeated here on purpose.
func FuzzParseUnverified(f *testing.F) {
	for _, topic := range samples.Types[shopify.Provider] {
		body, err := samples.Body(shopify.Provider, topic, samples.Values{})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body, topic, "shop.myshopify.com", "event-1", "2026-01-01T00:00:00Z")
	}
	f.Fuzz(func(t *testing.T, body []byte, topic, shop, id, at string) {
		e, err := shopify.ParseUnverified(body, http.Header{
			shopify.TopicHeader: {topic}, shopify.ShopHeader: {shop}, shopify.EventIDHeader: {id}, shopify.TriggeredAtHeader: {at},
		})
		if err != nil {
			return
		}
		for _, s := range append([]string{e.EventID, e.EventType, e.Merchant, e.Customer}, e.Objects...) {
			if len(s) > 255 || !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
				t.Errorf("%q is nothing to keep", s)
			}
		}
		if e.EventID == "" || e.Merchant == "" || len(e.EventType) > 128 || len(e.Objects) > 16 || e.Attributes == nil {
			t.Errorf("got %+v", e)
		}
	})
}
