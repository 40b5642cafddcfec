package ingest_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sendpromptly/sendpromptly/adminserver"
)

// marker stands in values: no answer may repeat it.
const marker = "zzMARKERzz"

func TestAWrongReceiptIsRefusedByTheNamesOfItsFields(t *testing.T) {
	t.Parallel()
	s := start(t, adminserver.IngestLimits{})
	for _, test := range []struct {
		fields string
		change map[string]any
	}{
		{"provider", map[string]any{"provider": "Stripe"}},
		{"provider", map[string]any{"provider": marker + "!"}},
		{"provider", map[string]any{"provider": 1}},
		{"provider", map[string]any{"provider": strings.Repeat("p", 65)}},
		{"provider", map[string]any{"provider": nil}},
		{"provider_event_id", map[string]any{"provider_event_id": nil}},
		{"provider_event_id", map[string]any{"provider_event_id": "evt 1"}},
		{"provider_event_id", map[string]any{"provider_event_id": "evt\x001"}},
		{"provider_event_id", map[string]any{"provider_event_id": strings.Repeat("e", 256)}},
		{"stripe_event_id", map[string]any{"stripe_event_id": "evt_2"}},
		{"stripe_event_id", map[string]any{"provider": "paddle", "stripe_event_id": "evt_1"}},
		{
			"provider_event_id stripe_event_id",
			map[string]any{"provider": "paddle", "provider_event_id": nil, "stripe_event_id": "evt_1"},
		},
		{"event_type", map[string]any{"event_type": "invoice.unpaid" + marker}},
		{"event_type", map[string]any{"event_type": "orders/paid"}},
		{"event_type", map[string]any{"event_type": nil}},
		{"effect_type", map[string]any{"effect_type": "Credit_Grant"}},
		{"effect_type", map[string]any{"effect_type": []string{marker}}},
		{"effect_type", map[string]any{"provider": "paddle", "effect_type": "send book"}},
		{"internal_reference", map[string]any{"internal_reference": "  "}},
		{"internal_reference", map[string]any{"internal_reference": strings.Repeat("r", 256)}},
		{"internal_reference", map[string]any{"internal_reference": nil}},
		{"occurred_at", map[string]any{"occurred_at": nil}},
		{"occurred_at", map[string]any{"occurred_at": "2026-03-01"}},
		{"occurred_at", map[string]any{"occurred_at": "2026-03-01T12:00:00"}},
		{"occurred_at", map[string]any{"occurred_at": "2026-03-01T12:00:00+24:00"}},
		{"occurred_at", map[string]any{"occurred_at": "2026-02-30T12:00:00Z"}},
		{"occurred_at", map[string]any{"occurred_at": "1969-12-31T23:59:59Z"}},
		{"occurred_at", map[string]any{"occurred_at": 1767225600}},
		{"occurred_at", map[string]any{"occurred_at": marker}},
		{"timeout_minutes", map[string]any{"timeout_minutes": 0}},
		{"timeout_minutes", map[string]any{"timeout_minutes": 43201}},
		{"timeout_minutes", map[string]any{"timeout_minutes": "30"}},
		{"timeout_minutes", map[string]any{"timeout_minutes": 30.5}},
		{"timeout_minutes", map[string]any{"timeout_minutes": true}},
		{"amount", map[string]any{"currency": "EUR"}},
		{"amount", map[string]any{"amount": "19.99", "currency": nil}},
		{"currency", map[string]any{"amount": 1999}},
		{"currency", map[string]any{"amount": 1999, "currency": "EURO"}},
		{"currency", map[string]any{"amount": 1999, "currency": "E1R"}},
		{"customer", map[string]any{"customer": map[string]string{"id": marker}}},
		{"customer", map[string]any{"customer": "a\x00b"}},
		{"version", map[string]any{"version": strings.Repeat("v", 129)}},
		{"livemode", map[string]any{"livemode": "true"}},
		{"payload", map[string]any{"payload": marker}},
		{"payload", map[string]any{"payload": []int{1}}},
		{"shopify_shop_domain", map[string]any{"shopify_shop_domain": "a.myshopify.com"}},
		{"shopify_shop_domain", map[string]any{"provider": "shopify", "event_type": "orders/paid"}},
		{
			"shopify_shop_domain",
			map[string]any{"provider": "shopify", "event_type": "orders/paid", "shopify_shop_domain": "shop.example.com"},
		},
		{
			"shopify_shop_domain",
			map[string]any{"provider": "shopify", "event_type": "orders/paid", "shopify_shop_domain": ".myshopify.com"},
		},
		{"merchant", map[string]any{
			"provider": "shopify", "event_type": "orders/paid", "shopify_shop_domain": "a.myshopify.com",
			"merchant": "b.myshopify.com",
		}},
		{"shopify_shop_domain", map[string]any{"provider": "shopify", "event_type": "orders/paid", "merchant": "a.myshopify.com"}},
		{"merchant", map[string]any{"merchant": strings.Repeat("m", 256)}},
		{"source_event_id", map[string]any{"source_event_id": "evt 1"}},
		{"objects", map[string]any{"objects": "in_1"}},
		{"objects", map[string]any{"objects": []any{"in_1", 2}}},
		{"objects", map[string]any{"objects": []any{"in_1", nil}}},
		{"objects", map[string]any{"objects": strings.Split(strings.Repeat("a,", 16)+"a", ",")}},
		{"timeoutMinutes", map[string]any{"timeoutMinutes": 5}},
		{"Provider", map[string]any{"Provider": "stripe"}},
		{"body", map[string]any{"<script>" + marker: 1}},
		{"currency customer provider", map[string]any{"provider": 1, "currency": 5, "customer": false}},
	} {
		got := s.send(request{path: "/api/v1/receipt", body: receipt(test.change)})
		if got.status != 422 || got.code() != "validation_error" || got.fields() != test.fields {
			t.Errorf("%v: %d %s, want details %s", test.change, got.status, got.body, test.fields)
		}
		if strings.Contains(got.body, marker) {
			t.Errorf("%v: the answer repeats what was sent: %s", test.change, got.body)
		}
	}
	if n := s.count("SELECT count(*) FROM sendpromptly.effects"); n != 0 {
		t.Errorf("%d receipts", n)
	}
}

func TestAWrongResultIsRefusedByTheNamesOfItsFields(t *testing.T) {
	t.Parallel()
	s := start(t, adminserver.IngestLimits{})
	for _, test := range []struct {
		fields string
		change map[string]any
	}{
		{"provider_event_id", map[string]any{"provider_event_id": nil}},
		{"status", map[string]any{"status": nil}},
		{"status", map[string]any{"status": "succeeded"}},
		{"status", map[string]any{"status": true}},
		{"event_id", map[string]any{"event_id": "evt_1"}},
		{"event_id", map[string]any{"event_id": "0190a000x0000-7000-8000-000000000000"}},
		{"stripe_event_id", map[string]any{"stripe_event_id": "evt_2"}},
		{"stripe_event_id", map[string]any{"stripe_event_id": "evt_1", "provider": "shopify"}},
		{"replay_id", map[string]any{"replay_id": strings.Repeat("r", 65)}},
		{"replay_id", map[string]any{"replay_id": 7}},
		{"error_message", map[string]any{"error_message": map[string]any{"text": marker}}},
		{"effect_type", map[string]any{"effect_type": strings.Repeat("e", 65)}},
		{"timeout_minutes", map[string]any{"timeout_minutes": 5}},
	} {
		got := s.send(request{path: "/api/v1/result", body: result(test.change)})
		if got.status != 422 || got.code() != "validation_error" || got.fields() != test.fields || strings.Contains(got.body, marker) {
			t.Errorf("%v: %d %s, want details %s", test.change, got.status, got.body, test.fields)
		}
	}
	// The id of one effect with the name of another.
	one := s.send(request{path: "/api/v1/receipt", body: receipt(nil)}).accepted(t)
	s.send(request{path: "/api/v1/receipt", body: receipt(map[string]any{"provider_event_id": "evt_2"})}).accepted(t)
	got := s.send(
		request{path: "/api/v1/result", body: result(map[string]any{"event_id": one.EventID, "provider_event_id": "evt_2"})},
	)
	if got.status != 422 || got.fields() != "provider_event_id" {
		t.Errorf("%d %s", got.status, got.body)
	}
}

// What another reader could take for something else is refused.
func TestABodyThatIsNotStrictJSONIsRefused(t *testing.T) {
	t.Parallel()
	s := start(t, adminserver.IngestLimits{})
	good := strings.TrimSpace(receipt(nil))
	inner := good[1 : len(good)-1]
	deep := strings.Repeat("[", 200) + strings.Repeat("]", 200)
	for _, wrong := range []string{
		"", " ", "null", "[]", `"text"`, "1", "[" + good + "]", "\xef\xbb\xbf" + good, good + good, good + "x",
		good[:len(good)-1], "{" + inner + ",}",
		"{" + inner + `,"provider":"stripe"}`, "{" + inner + `,"prov\u0069der":"stripe"}`,
		"{" + inner + `,"customer":"\ud800"}`, "{" + inner + `,"customer":"\udc00\ud800"}`,
		"{" + inner + ",\"customer\":\"caf\xe9\"}", "{" + inner + ",\"customer\":\"half\xed\xa0\x80\"}",
		"{" + inner + `,"payload":{"a":1,"a":2}}`,
		"{" + inner + `,"payload":{"x":[{"b":{},"b":[]}]}}`, "{" + inner + `,"payload":{"a":` + deep + `}}`,
		"{" + inner + `,"customer":'x'}`,
		"{" + inner + `,"customer":NaN}`, strings.ReplaceAll(good, ":", "="), "{" + inner + `,"timeout_minutes":030}`,
		"/* c */" + good, "{" + inner + "}\x00",
	} {
		got := s.send(request{path: "/api/v1/receipt", body: wrong})
		if got.status != 422 || got.code() != "validation_error" || got.fields() != "body" {
			t.Errorf("%.200q: %d %s", wrong, got.status, got.body)
		}
	}
	for _, number := range []string{"30.0", "3e1", "1e3", "-0.0", "99999999999999999999"} {
		got := s.send(request{path: "/api/v1/receipt", body: "{" + inner + `,"timeout_minutes":` + number + "}"})
		if got.fields() != "timeout_minutes" {
			t.Errorf("%s: %d %s", number, got.status, got.body)
		}
	}
	if n := s.count("SELECT count(*) FROM sendpromptly.effects"); n != 0 {
		t.Errorf("%d receipts", n)
	}
}

func TestHarmlessFormsOfJSONAreAccepted(t *testing.T) {
	t.Parallel()
	s := start(t, adminserver.IngestLimits{})
	good := strings.TrimSpace(receipt(nil))
	inner := good[1 : len(good)-1]
	for i, fine := range []string{
		" \n" + good + "\r\n\t",
		"{" + inner + `,"customer":null,"timeout_minutes":null,"payload":null,"livemode":null,"amount":null,"currency":""}`,
		"{" + inner + `,"customer":"\ud83d\ude00 caf\u00e9"}`, "{" + inner + `,"payload":{"a":{"a":[1,{"a":1e999}]},"A":{}}}`,
		"{" + inner + `,"stripe_event_id":"evt_1","shopify_shop_domain":""}`,
		strings.Replace(good, "provider_event_id", "stripe_event_id", 1),
		strings.Replace(good, "12:00:00Z", "12:00:00,5z", 1), strings.Replace(good, "2026-03-01T12:00:00Z", "20260301T120000+0100", 1),
	} {
		if got := s.send(request{path: "/api/v1/receipt", body: fine}); got.status != 202 {
			t.Errorf("%d: %q: %d %s", i, fine, got.status, got.body)
		}
	}
}

func TestAnAnswerNamesAtMostTenFieldsAndStaysSmall(t *testing.T) {
	t.Parallel()
	s := start(t, adminserver.IngestLimits{})
	members := map[string]any{}
	for i := range 50 {
		members[fmt.Sprintf("unknown_field_with_quite_a_long_name_of_sixty_characters_%06d", i)] = i
	}
	for _, wrong := range []string{
		receipt(members), receipt(map[string]any{"provider": strings.Repeat(marker, 5000)}), strings.Repeat("[", 60000),
		`{"` + strings.Repeat("k", 60000) + `":1}`,
	} {
		got := s.send(request{path: "/api/v1/receipt", body: wrong})
		if n := len(got.problem().Error.Details); got.status != 422 || n == 0 || n > 10 || len(got.body) > 4<<10 {
			t.Errorf("%d with %d details in %d bytes", got.status, n, len(got.body))
		}
	}
}
