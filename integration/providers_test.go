package integration

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	goshopify "github.com/bold-commerce/go-shopify/v4"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	stripego "github.com/stripe/stripe-go/v86"
	stripewebhook "github.com/stripe/stripe-go/v86/webhook"

	"github.com/sendpromptly/sendpromptly/engine/shopify"
	"github.com/sendpromptly/sendpromptly/engine/stripe"
	"github.com/sendpromptly/sendpromptly/internal/samples"
)

const (
	providerSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	otherSecret    = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
)

// stripe-go takes what we sign, with the parsing of the event included, and we
// take what it signs.
func TestStripeGoAgreesOnGoodSignatures(t *testing.T) {
	for _, eventType := range samples.Types[stripe.Provider] {
		body, header, err := samples.Signed(stripe.Provider, eventType, providerSecret, samples.Values{}, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		event, err := stripewebhook.ConstructEvent(body, header.Get(stripe.SignatureHeader), providerSecret)
		if err != nil {
			t.Errorf("%s: stripe-go refused ours: %v", eventType, err)
			continue
		}
		theirs := stripewebhook.GenerateTestSignedPayload(&stripewebhook.UnsignedPayload{Payload: body, Secret: providerSecret})
		got, err := stripe.Open(body, http.Header{stripe.SignatureHeader: {theirs.Header}}, time.Now(), providerSecret)
		if err != nil {
			t.Errorf("%s: we refused stripe-go's: %v", eventType, err)
			continue
		}
		if got.EventID != event.ID || got.EventType != string(event.Type) || got.Live != event.Livemode ||
			got.OccurredAt.Unix() != event.Created {
			t.Errorf("%s: got %+v, stripe-go %+v", eventType, got, event)
		}
	}
}

// What stripe-go refuses, we refuse. It takes three things that we do not: a
// time in the future, a time written in an unusual way, and two times.
func TestStripeGoAgreesOnBadSignatures(t *testing.T) {
	body := []byte(`{"id":"evt_1"}`)
	now := time.Now()
	good := stripe.Sign(body, providerSecret, now)
	seconds, v1, _ := strings.Cut(good, ",")
	zeros := "v1=" + strings.Repeat("0", 64)
	for _, test := range []struct {
		name, header string
		body         string
		stricter     bool
	}{
		{name: "as signed", header: good},
		{name: "several v1", header: seconds + "," + zeros + "," + v1},
		{name: "another scheme beside", header: good + ",v0=abc"},
		{name: "no hex beside", header: seconds + ",v1=zz," + v1},
		{name: "upper case", header: seconds + ",v1=" + strings.ToUpper(v1[3:])},
		{name: "altered body", header: good, body: `{"id":"evt_2"}`},
		{name: "wrong secret", header: stripe.Sign(body, otherSecret, now)},
		{name: "stale", header: stripe.Sign(body, providerSecret, now.Add(-302*time.Second))},
		{name: "almost stale", header: stripe.Sign(body, providerSecret, now.Add(-290*time.Second))},
		{name: "no signature", header: seconds},
		{name: "only another scheme", header: seconds + ",v0=" + v1[3:]},
		{name: "no time", header: v1},
		{name: "empty", header: ""},
		{name: "no =", header: "abc"},
		{name: "two =", header: good + ",a=b=c"},
		{name: "a trailing comma", header: good + ","},
		{name: "time in words", header: "t=now," + v1},
		{name: "a space", header: seconds + ", " + v1},
		{name: "future", header: stripe.Sign(body, providerSecret, now.Add(302*time.Second)), stricter: true},
		{name: "time with a sign", header: "t=+" + seconds[2:] + "," + v1, stricter: true},
		{name: "two times", header: "t=1," + good, stricter: true},
	} {
		signed := body
		if test.body != "" {
			signed = []byte(test.body)
		}
		theirs := stripewebhook.ValidatePayload(signed, test.header, providerSecret)
		ours := stripe.Verify(signed, http.Header{stripe.SignatureHeader: {test.header}}, now, providerSecret)
		if test.stricter {
			if theirs != nil || !errors.Is(ours, stripe.ErrSignature) {
				t.Errorf("%s: stripe-go %v, we %v", test.name, theirs, ours)
			}
		} else if (theirs == nil) != (ours == nil) {
			t.Errorf("%s: stripe-go %v, we %v", test.name, theirs, ours)
		}
	}
}

// stripe-go's own types find in the samples what we find.
func TestStripeGoReadsTheSameObjects(t *testing.T) {
	object := func(t *testing.T, eventType string, target any) stripe.Event {
		t.Helper()
		body, err := samples.Body(stripe.Provider, eventType, samples.Values{})
		if err != nil {
			t.Fatal(err)
		}
		var event stripego.Event
		if err := json.Unmarshal(body, &event); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(event.Data.Raw, target); err != nil {
			t.Fatal(err)
		}
		ours, err := stripe.ParseUnverified(body)
		if err != nil {
			t.Fatal(err)
		}
		return ours
	}
	check := func(t *testing.T, e stripe.Event, customer, currency string, amount int64, ids ...string) {
		t.Helper()
		if e.Customer != customer || e.Amount.Minor != amount || e.Amount.Currency != strings.ToUpper(currency) {
			t.Errorf("%s: got %q, %v; stripe-go %q, %d %s", e.EventType, e.Customer, e.Amount, customer, amount, currency)
		}
		if got, want := strings.Join(e.Objects, " "), strings.Join(ids, " "); got != want {
			t.Errorf("%s: got objects %s, stripe-go %s", e.EventType, got, want)
		}
	}

	var session stripego.CheckoutSession
	e := object(t, "checkout.session.completed", &session)
	check(t, e, session.Customer.ID, string(session.Currency), session.AmountTotal, session.ID, session.PaymentIntent.ID)
	if e.Subject != session.ClientReferenceID || e.Metadata["account_id"] != session.Metadata["account_id"] {
		t.Errorf("got %q, %v", e.Subject, e.Metadata)
	}

	var invoice stripego.Invoice
	e = object(t, "invoice.paid", &invoice)
	check(t, e, invoice.Customer.ID, string(invoice.Currency), invoice.AmountPaid, invoice.ID, invoice.Number,
		invoice.Payments.Data[0].Payment.PaymentIntent.ID, invoice.Parent.SubscriptionDetails.Subscription.ID)
	if e.Metadata["account_id"] != invoice.Parent.SubscriptionDetails.Metadata["account_id"] {
		t.Errorf("got %v", e.Metadata)
	}

	for _, eventType := range []string{"customer.subscription.updated", "customer.subscription.deleted"} {
		var subscription stripego.Subscription
		e = object(t, eventType, &subscription)
		check(t, e, subscription.Customer.ID, "", 0, subscription.ID, subscription.LatestInvoice.ID)
	}

	var charge stripego.Charge
	e = object(t, "charge.refunded", &charge)
	check(
		t,
		e,
		charge.Customer.ID,
		string(charge.Currency),
		charge.AmountRefunded,
		charge.ID,
		charge.PaymentIntent.ID,
		charge.ReceiptNumber,
	)

	var dispute stripego.Dispute
	e = object(t, "charge.dispute.created", &dispute)
	check(t, e, "", string(dispute.Currency), dispute.Amount, dispute.ID, dispute.PaymentIntent.ID, dispute.Charge.ID)
}

func TestGoShopifyAgreesOnSignatures(t *testing.T) {
	body := []byte(`{"id":9007199254741993}`)
	good := shopify.Sign(body, providerSecret)
	for _, test := range []struct{ name, signature, body string }{
		{"as signed", good, ""},
		{"altered body", good, `{"id":9007199254741992}`},
		{"wrong secret", shopify.Sign(body, otherSecret), ""},
		{"empty", "", ""},
		{"without padding", strings.TrimRight(good, "="), ""},
		{"cut short", good[:40], ""},
		{"hex", strings.Repeat("ab", 32), ""},
		{"a space", " " + good, ""},
		{"two", good + "," + good, ""},
	} {
		signed := body
		if test.body != "" {
			signed = []byte(test.body)
		}
		request := httptest.NewRequest("POST", "/", bytes.NewReader(signed))
		request.Header.Set(shopify.SignatureHeader, test.signature)
		theirs := goshopify.App{ApiSecret: providerSecret}.VerifyWebhookRequest(request)
		ours := shopify.Verify(signed, request.Header, providerSecret)
		if theirs != (ours == nil) {
			t.Errorf("%s: go-shopify %v, we %v", test.name, theirs, ours)
		}
	}
}

// go-shopify's own types find in the samples what we find.
func TestGoShopifyReadsTheSameObjects(t *testing.T) {
	number := func(n uint64) string { return strconv.FormatUint(n, 10) }
	for _, topic := range samples.Types[shopify.Provider] {
		body, header, err := samples.Signed(
			shopify.Provider,
			topic,
			providerSecret,
			samples.Values{Live: true, Amount: 901, Currency: "KWD"},
			time.Now(),
		)
		if err != nil {
			t.Fatal(err)
		}
		ours, err := shopify.Open(body, header, providerSecret)
		if err != nil {
			t.Fatal(err)
		}
		var customer goshopify.Customer
		var ids []string
		switch topic {
		case "customers/create":
			err = json.Unmarshal(body, &customer)
			ids = []string{number(customer.Id)}
		case "checkouts/create":
			var checkout goshopify.AbandonedCheckout
			err = json.Unmarshal(body, &checkout)
			customer = *checkout.Customer
			ids = []string{number(checkout.Id), checkout.Name, checkout.Token}
		default:
			var order struct {
				goshopify.Order
				ConfirmationNumber string `json:"confirmation_number"` // newer than the library
			}
			err = json.Unmarshal(body, &order)
			customer = *order.Customer
			ids = []string{
				number(order.Id),
				order.Name,
				strconv.Itoa(order.OrderNumber),
				order.ConfirmationNumber,
				number(order.CheckoutId),
				order.CheckoutToken,
			}
			for _, fulfillment := range order.Fulfillments {
				ids = append(ids, number(fulfillment.Id))
			}
			if minor := order.TotalPrice.Shift(
				3,
			); !minor.Equal(minor.Truncate(0)) || minor.IntPart() != ours.Amount.Minor ||
				order.Currency != ours.Amount.Currency {
				t.Errorf("%s: got %v, go-shopify %s %s", topic, ours.Amount, order.TotalPrice, order.Currency)
			}
		}
		if err != nil {
			t.Fatalf("%s: %v", topic, err)
		}
		if got, want := strings.Join(ours.Objects, " "), strings.Join(ids, " "); got != want || ours.Customer != number(customer.Id) {
			t.Errorf("%s: got %s of %s, go-shopify %s of %d", topic, got, ours.Customer, want, customer.Id)
		}
	}
}

// The signed requests that the engine's own tests hold are taken by the
// Standard Webhooks library, secret for secret, and refused once altered.
func TestStandardWebhooksTakesOurCallbacks(t *testing.T) {
	file, err := os.ReadFile("../internal/callback/testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct {
		Name     string            `json:"name"`
		Secrets  []string          `json:"secrets"`
		ReplayID string            `json:"replay_id"`
		At       int64             `json:"at"`
		Body     string            `json:"body"`
		Headers  map[string]string `json:"headers"`
	}
	if err := json.Unmarshal(file, &vectors); err != nil {
		t.Fatal(err)
	}
	if len(vectors) == 0 {
		t.Fatal("no vectors")
	}
	for _, v := range vectors {
		header := http.Header{}
		for name, value := range v.Headers {
			header.Set(name, value)
		}
		signatures := strings.Split(header.Get(standardwebhooks.HeaderWebhookSignature), " ")
		for i, secret := range v.Secrets {
			library, err := standardwebhooks.NewWebhook(secret)
			if err != nil {
				t.Fatalf("%s: %v", v.Name, err)
			}
			if err := library.VerifyIgnoringTimestamp([]byte(v.Body), header); err != nil {
				t.Errorf("%s: secret %d: %v", v.Name, i, err)
			}
			if theirs, err := library.Sign(v.ReplayID, time.Unix(v.At, 0), []byte(v.Body)); err != nil || theirs != signatures[i] {
				t.Errorf("%s: secret %d: got %s, the library %s, %v", v.Name, i, signatures[i], theirs, err)
			}
			if err := library.VerifyIgnoringTimestamp([]byte(v.Body+" "), header); err == nil {
				t.Errorf("%s: an altered body was taken", v.Name)
			}
		}
		stranger, err := standardwebhooks.NewWebhook(otherSecret)
		if err != nil {
			t.Fatal(err)
		}
		if stranger.VerifyIgnoringTimestamp([]byte(v.Body), header) == nil {
			t.Errorf("%s: a stranger's secret was taken", v.Name)
		}
	}
}
