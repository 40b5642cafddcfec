package stripe_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/stripe"
	"github.com/sendpromptly/sendpromptly/internal/samples"
)

// Each of the six event types, as Stripe sends it today.
func TestTheSixEventTypes(t *testing.T) {
	const customer = "cus_T4vXq8LmN2pRbK"
	usd := engine.Money{Minor: 4900, Currency: "USD"}
	for _, test := range []struct {
		eventType, effect, subject, customer string
		amount                               engine.Money
		objects                              []string
	}{
		{"checkout.session.completed", "access_unlock", "acct_1042", customer, usd, []string{
			"cs_test_a1Jw0sV7kPq3TzXn9RbYc5LdGh2MfEu8AoCi4KjQrW6vStNyBmZxHp1D", "pi_3SkVeRK8mWzT3bYp0cVn7GtX",
		}},
		{"invoice.paid", "credit_grant", "", customer, usd, []string{
			"in_1SkVdMK8mWzT3bYpHr4Ts9Wq", "7F3A91C2-0014", "pi_3SkVfOK8mWzT3bYp1uZq5RwE", "sub_1RZqLpK8mWzT3bYpA6mKf1Ju",
		}},
		{"customer.subscription.updated", "subscription_state_apply", "", customer, engine.Money{}, []string{
			"sub_1RZqLpK8mWzT3bYpA6mKf1Ju", "in_1SkVdMK8mWzT3bYpHr4Ts9Wq",
		}},
		{"customer.subscription.deleted", "access_revocation", "", customer, engine.Money{}, []string{
			"sub_1RZqLpK8mWzT3bYpA6mKf1Ju", "in_1SkVdMK8mWzT3bYpHr4Ts9Wq",
		}},
		{"charge.refunded", "credit_deduction", "", customer, usd, []string{
			"ch_3SkVeRK8mWzT3bYp0Lw6MzQk", "pi_3SkVeRK8mWzT3bYp0cVn7GtX", "2716-4093",
		}},
		{"charge.dispute.created", "access_revocation", "", "", usd, []string{
			"du_1SkVfNK8mWzT3bYpJm3Ev8Ra", "pi_3SkVeRK8mWzT3bYp0cVn7GtX", "ch_3SkVeRK8mWzT3bYp0Lw6MzQk",
		}},
	} {
		t.Run(test.eventType, func(t *testing.T) {
			body, header, err := samples.Signed(stripe.Provider, test.eventType, secret, samples.Values{}, signedAt)
			if err != nil {
				t.Fatal(err)
			}
			got, err := stripe.Open(body, header, signedAt, secret)
			if err != nil {
				t.Fatal(err)
			}
			want := engine.Acceptance{
				Key:        engine.Key{Provider: "stripe", EventID: "evt_1SkVfQK8mWzT3bYpQ7xLd2Nh", Effect: test.effect},
				EventType:  test.eventType,
				Subject:    test.subject,
				Mode:       "test",
				OccurredAt: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
				Amount:     test.amount,
				Customer:   test.customer,
				Objects:    test.objects,
				Payload:    body,
			}
			if !reflect.DeepEqual(got.Acceptance, want) {
				t.Errorf("got  %+v\nwant %+v", got.Acceptance, want)
			}
			if got.Live || got.Metadata["account_id"] != "acct_1042" {
				t.Errorf("live %v, metadata %v", got.Live, got.Metadata)
			}
		})
	}
}

func event(eventType, object, more string) []byte {
	return []byte(
		`{"id":"evt_1","type":"` + eventType + `","created":1767225600,"livemode":true,"data":{"object":` + object + more + `}}`,
	)
}

var documents = []struct {
	name      string
	body      []byte
	customer  string
	amount    engine.Money
	objects   []string
	metadata  map[string]string
	accountID string
}{
	{
		name: "invoice before 2025-03-31",
		body: event(
			"invoice.paid",
			`{"id":"in_1","amount_paid":100,"currency":"eur","customer":"cus_1","payment_intent":"pi_1","charge":"ch_1",
			"subscription":"sub_1","subscription_details":{"metadata":{"user":"of the subscription","plan":"p"}},
			"metadata":{"user":"u1"}}`,
			"",
		),
		customer: "cus_1",
		amount:   engine.Money{Minor: 100, Currency: "EUR"},
		objects:  []string{"in_1", "pi_1", "ch_1", "sub_1"},
		metadata: map[string]string{"user": "u1", "plan": "p"},
	},
	{
		name: "invoice paid in parts, one by charge",
		body: event(
			"invoice.paid",
			`{"id":"in_1","payments":{"data":[{"payment":{"payment_intent":"pi_1"}},{"payment":{"charge":"ch_2"}},{"payment":null},7]},
			"parent":{"subscription_details":{"subscription":{"id":"sub_1"}}}}`,
			"",
		),
		objects:  []string{"in_1", "pi_1", "ch_2", "sub_1"},
		metadata: map[string]string{},
	},
	{
		name: "expanded objects",
		body: event(
			"checkout.session.completed",
			`{"id":"cs_1","customer":{"id":"cus_9","email":"a@example.com"},"payment_intent":{"id":"pi_1"},
			"invoice":{"id":"in_1"},"subscription":{"id":"sub_1"}}`,
			"",
		),
		customer: "cus_9",
		objects:  []string{"cs_1", "pi_1", "in_1", "sub_1"},
		metadata: map[string]string{},
	},
	{
		name: "dispute with an expanded charge",
		body: event(
			"charge.dispute.created",
			`{"id":"du_1","amount":5,"currency":"usd","charge":{"id":"ch_1","customer":"cus_1"}}`,
			"",
		),
		customer: "cus_1",
		amount:   engine.Money{Minor: 5, Currency: "USD"},
		objects:  []string{"du_1", "ch_1"},
		metadata: map[string]string{},
	},
	{
		name: "charge that carries its refunds",
		body: event(
			"charge.refunded",
			`{"id":"ch_1","amount_refunded":900,"currency":"usd","refunds":{"data":[{"id":"re_2"},{"id":"re_1"}]}}`,
			`,"previous_attributes":{"amount_refunded":400}`,
		),
		amount:   engine.Money{Minor: 500, Currency: "USD"},
		objects:  []string{"ch_1", "re_2", "re_1"},
		metadata: map[string]string{},
	},
	{
		name: "no event type of ours",
		body: []byte(`{"id":"evt_1","type":"payout.paid","created":1767225600,"livemode":true,"account":"acct_9",
			"data":{"object":{"id":"po_1","amount":5,"currency":"usd"}}}`),
		objects: []string{"po_1"}, metadata: map[string]string{}, accountID: "acct_9",
	},
	{
		name: "a second-version event",
		body: []byte(
			`{"id":"evt_1","type":"v2.core.thing.done","created":"2026-01-01T00:00:00.000Z","livemode":true,` +
				`"related_object":{"id":"thing_1"}}`,
		),
		objects:  []string{"thing_1"},
		metadata: map[string]string{},
	},
	{
		name: "everything of another kind than expected",
		body: event(
			"invoice.paid",
			`{"id":{},"amount_paid":"5","currency":7,"customer":[1],"payments":[],"parent":"x","metadata":[]}`,
			"",
		),
		metadata: map[string]string{},
	},
	{
		name:     "nothing to be kept",
		body:     event("invoice.paid", `{"id":"`+strings.Repeat("i", 256)+`","customer":"a\u0000b","number":"with spaces 7"}`, ""),
		metadata: map[string]string{},
	},
	{name: "no object", body: event("invoice.paid", `null`, ""), metadata: map[string]string{}},
}

func TestOlderAndExpandedDocuments(t *testing.T) {
	for _, test := range documents {
		t.Run(test.name, func(t *testing.T) {
			got, err := stripe.ParseUnverified(test.body)
			if err != nil {
				t.Fatal(err)
			}
			if got.Customer != test.customer || got.Amount != test.amount || got.Account != test.accountID ||
				got.Merchant != test.accountID || !got.Live {
				t.Errorf("got %+v", got)
			}
			if !reflect.DeepEqual(got.Objects, test.objects) || !reflect.DeepEqual(got.Metadata, test.metadata) {
				t.Errorf("got objects %q, metadata %q", got.Objects, got.Metadata)
			}
			if got.OccurredAt != time.Unix(1767225600, 0).UTC() {
				t.Errorf("occurred at %v", got.OccurredAt)
			}
		})
	}
}

func TestUnknownEventTypesLeaveTheEffectToTheCaller(t *testing.T) {
	got, err := stripe.ParseUnverified(event("payment_intent.succeeded", `{"id":"pi_1","latest_charge":"ch_1"}`, ""))
	if err != nil || got.Effect != "" || got.EventType != "payment_intent.succeeded" || len(got.Objects) != 2 {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestAmounts(t *testing.T) {
	for _, test := range []struct {
		name, object, previous string
		want                   engine.Money
	}{
		{
			"beyond 2^53", `{"amount_refunded":9007199254740993,"currency":"usd"}`, "",
			engine.Money{Minor: 9007199254740993, Currency: "USD"},
		},
		{"yen", `{"amount_refunded":500,"currency":"jpy"}`, "", engine.Money{Minor: 500, Currency: "JPY"}},
		{"dinar", `{"amount_refunded":5120,"currency":"kwd"}`, "", engine.Money{Minor: 5120, Currency: "KWD"}},
		{
			"króna, which Stripe writes with two decimals", `{"amount_refunded":500,"currency":"isk"}`, "",
			engine.Money{Minor: 5, Currency: "ISK"},
		},
		{"a fraction of a króna", `{"amount_refunded":501,"currency":"isk"}`, "", engine.Money{}},
		{
			"ariary, which Stripe writes without decimals", `{"amount_refunded":5,"currency":"mga"}`, "",
			engine.Money{Minor: 500, Currency: "MGA"},
		},
		{"ariary beyond 64 bits", `{"amount_refunded":9223372036854775807,"currency":"mga"}`, "", engine.Money{}},
		{
			"first refund", `{"amount_refunded":300,"currency":"usd"}`, `{"amount_refunded":0}`, engine.Money{Minor: 300, Currency: "USD"},
		},
		{
			"second refund", `{"amount_refunded":300,"currency":"usd"}`, `{"amount_refunded":100}`,
			engine.Money{Minor: 200, Currency: "USD"},
		},
		{
			"a refund that shrank", `{"amount_refunded":300,"currency":"usd"}`, `{"amount_refunded":400}`,
			engine.Money{Minor: 300, Currency: "USD"},
		},
		{"nothing", `{"amount_refunded":0,"currency":"usd"}`, "", engine.Money{Currency: "USD"}},
		{"negative", `{"amount_refunded":-1,"currency":"usd"}`, "", engine.Money{}},
		{"a fraction", `{"amount_refunded":1.5,"currency":"usd"}`, "", engine.Money{}},
		{"with an exponent", `{"amount_refunded":1e2,"currency":"usd"}`, "", engine.Money{}},
		{"beyond 64 bits", `{"amount_refunded":9223372036854775808,"currency":"usd"}`, "", engine.Money{}},
		{"no currency", `{"amount_refunded":5}`, "", engine.Money{}},
		{"no ISO code", `{"amount_refunded":5,"currency":"usdt"}`, "", engine.Money{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.previous != "" {
				test.previous = `,"previous_attributes":` + test.previous
			}
			got, err := stripe.ParseUnverified(event("charge.refunded", test.object, test.previous))
			if err != nil || got.Amount != test.want {
				t.Errorf("got %+v, %v; want %+v", got.Amount, err, test.want)
			}
		})
	}
}

func TestMalformedBodies(t *testing.T) {
	const rest = `,"created":1,"livemode":false}`
	for _, test := range []struct{ name, body, field string }{
		{"empty", ``, "body"},
		{"no JSON", `id=evt_1`, "body"},
		{"an array", `[]`, "body"},
		{"null", `null`, "body"},
		{"two documents", `{} {}`, "body"},
		{"cut short", `{"id":"evt_1"`, "body"},
		{"no id", `{"type":"a"` + rest, "id"},
		{"empty id", `{"id":"","type":"a"` + rest, "id"},
		{"an object as id", `{"id":{"id":"evt_1"},"type":"a"` + rest, "id"},
		{"id with a space", `{"id":"evt 1","type":"a"` + rest, "id"},
		{"id with a NUL", `{"id":"evt\u00001","type":"a"` + rest, "id"},
		{"long id", `{"id":"` + strings.Repeat("e", 256) + `","type":"a"` + rest, "id"},
		{"no type", `{"id":"evt_1"` + rest, "type"},
		{"long type", `{"id":"evt_1","type":"` + strings.Repeat("t", 129) + `"` + rest, "type"},
		{"no created", `{"id":"evt_1","type":"a","livemode":false}`, "created"},
		{"created in words", `{"id":"evt_1","type":"a","created":"today","livemode":false}`, "created"},
		{"created before 1970", `{"id":"evt_1","type":"a","created":-1,"livemode":false}`, "created"},
		{"created in year 10000", `{"id":"evt_1","type":"a","created":253402300800,"livemode":false}`, "created"},
		{"created beyond 64 bits", `{"id":"evt_1","type":"a","created":9223372036854775808,"livemode":false}`, "created"},
		{"created at the end of 64 bits", `{"id":"evt_1","type":"a","created":9223372036854775807,"livemode":false}`, "created"},
		{"created with a fraction", `{"id":"evt_1","type":"a","created":1.5,"livemode":false}`, "created"},
		{"no livemode", `{"id":"evt_1","type":"a","created":1}`, "livemode"},
		{"livemode as text", `{"id":"evt_1","type":"a","created":1,"livemode":"true"}`, "livemode"},
	} {
		t.Run(test.name, func(t *testing.T) {
			header := http.Header{}
			header.Set(stripe.SignatureHeader, stripe.Sign([]byte(test.body), secret, signedAt))
			_, err := stripe.Open([]byte(test.body), header, signedAt, secret)
			var malformed *stripe.MalformedError
			if !errors.As(err, &malformed) || malformed.Field != test.field {
				t.Errorf("got %v, want one about %s", err, test.field)
			}
			if errors.Is(err, stripe.ErrSignature) {
				t.Error("a signed body was refused for its signature")
			}
		})
	}
}

func TestReceiveReadsAndVerifiesARequest(t *testing.T) {
	body, header, err := samples.Signed(stripe.Provider, "invoice.paid", secret, samples.Values{Live: true}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	request := func(body string) *http.Request {
		r := httptest.NewRequest("POST", "/", strings.NewReader(body))
		r.Header = header
		return r
	}
	if got, err := stripe.Receive(request(string(body)), "whsec_new", secret); err != nil || !got.Live {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := stripe.Receive(request(string(body)+" "), secret); !errors.Is(err, stripe.ErrSignature) {
		t.Errorf("altered: got %v", err)
	}
	var tooLong *http.MaxBytesError
	if _, err := stripe.Receive(request(strings.Repeat(" ", stripe.MaxBody+1)), secret); !errors.As(err, &tooLong) {
		t.Errorf("too long: got %v", err)
	}
}

// Nothing unverified is looked at: the refusal of a wrong signature comes
// before any word about the body.
func TestOpenVerifiesFirst(t *testing.T) {
	header := http.Header{stripe.SignatureHeader: {stripe.Sign([]byte("other"), secret, signedAt)}}
	if _, err := stripe.Open([]byte("not JSON"), header, signedAt, secret); !errors.Is(err, stripe.ErrSignature) {
		t.Errorf("got %v", err)
	}
}

// Whatever passes, the engine takes: its bounds are repeated here on purpose.
func FuzzParseUnverified(f *testing.F) {
	for _, eventType := range samples.Types[stripe.Provider] {
		body, err := samples.Body(stripe.Provider, eventType, samples.Values{})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
	}
	f.Add(
		event("charge.refunded", `{"id":"ch_1","amount_refunded":9007199254740993,"currency":"isk","refunds":{"data":[1,{}]}}`, ""),
	)
	f.Fuzz(func(t *testing.T, body []byte) {
		e, err := stripe.ParseUnverified(body)
		if err != nil {
			return
		}
		for _, s := range append([]string{e.EventID, e.EventType, e.Subject, e.Customer}, e.Objects...) {
			if len(s) > 255 || !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
				t.Errorf("%q is nothing to keep", s)
			}
		}
		if e.EventID == "" || len(e.EventType) > 128 || len(e.Objects) > 16 || e.Amount.Minor < 0 || e.Metadata == nil {
			t.Errorf("got %+v", e)
		}
	})
}
