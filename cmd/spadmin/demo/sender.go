package demo

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/shopify"
	"github.com/sendpromptly/sendpromptly/engine/stripe"
	"github.com/sendpromptly/sendpromptly/internal/samples"
)

// sender plays Stripe and Shopify: it posts signed events over HTTP.
type sender struct {
	base    string
	client  *http.Client
	secrets map[string]string
	// people counts the customers, so that each has its own id.
	people atomic.Int64
}

func newSender(base string) *sender {
	return &sender{
		base:    base,
		client:  &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{}}, // no proxy
		secrets: map[string]string{stripe.Provider: "whsec_" + rand.Text(), shopify.Provider: rand.Text()},
	}
}

func (s *sender) secret(provider string) string { return s.secrets[provider] }

// path is where a provider's webhooks go.
func (s *sender) path(provider string) string {
	if provider == stripe.Provider {
		return "/" + billing + "/webhooks/stripe"
	}
	return "/" + storefront + "/webhooks/shopify"
}

func (s *sender) close() { s.client.CloseIdleConnections() }

// event is an event of a provider.
type event struct {
	provider, eventType string
	id                  string
	// account is the shop's id of the customer, customer the provider's.
	account, customer string
	cents             int64
	at                time.Time
}

// newEvent makes an event with new ids. A customers/create event has no account
// yet: the provider's customer id becomes the account.
func (s *sender) newEvent(provider, eventType, account string, cents int64) event {
	e := event{provider: provider, eventType: eventType, account: account, cents: cents, at: time.Now()}
	number := s.people.Add(1)
	if provider == stripe.Provider {
		e.id = "evt_1" + rand.Text()[:23]
		e.customer = "cus_" + rand.Text()[:14]
		return e
	}
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	e.id = fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
	e.customer = fmt.Sprint(9007199254990000 + number)
	if eventType == "customers/create" {
		e.account = e.customer
	}
	return e
}

// key is the effect that the shop owes for the event.
func (e event) key() engine.Key {
	effect := stripe.Effect(e.eventType)
	if e.provider == shopify.Provider {
		effect = shopify.Effect(e.eventType)
	}
	return engine.Key{Provider: e.provider, EventID: e.id, Effect: effect}
}

// project is the project that receives the event.
func (e event) project() string {
	if e.provider == stripe.Provider {
		return billing
	}
	return storefront
}

// delivery is one line of the provider's log.
type delivery struct {
	status int
	took   time.Duration
}

// want returns an error for every other status.
func (d delivery) want(status int) error {
	if d.status != status {
		return fmt.Errorf("the shop answered %d, want %d", d.status, status)
	}
	return nil
}

// post delivers an event, signed at the current time. A second post of the same
// event is a redelivery: the same body with a new signature.
func (s *sender) post(ctx context.Context, e event) (delivery, error) {
	return s.postSigned(ctx, e, s.secret(e.provider))
}

func (s *sender) postSigned(ctx context.Context, e event, secret string) (delivery, error) {
	now := time.Now()
	values := samples.Values{EventID: e.id, Customer: e.customer, Reference: e.account, Amount: e.cents, At: e.at}
	body, header, err := samples.Signed(e.provider, e.eventType, secret, values, now)
	if err != nil {
		return delivery{}, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.base+s.path(e.provider), bytes.NewReader(body))
	if err != nil {
		return delivery{}, err
	}
	request.Header = header
	response, err := s.client.Do(request)
	if err != nil {
		return delivery{}, err
	}
	defer func() { _ = response.Body.Close() }()
	_, _ = io.Copy(io.Discard, response.Body) // so that the connection can be reused
	return delivery{response.StatusCode, time.Since(now)}, nil
}
