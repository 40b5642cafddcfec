package shop

import (
	"cmp"
	"net/http"

	"github.com/sendpromptly/sendpromptly/engine/shopify"
	"github.com/sendpromptly/sendpromptly/engine/stripe"
)

// StripeWebhook is the endpoint for Stripe's events.
func (s *Service) StripeWebhook(secret string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		event, err := stripe.Receive(r, secret)
		if err != nil {
			http.Error(w, "refused", http.StatusBadRequest)
			return
		}
		event.Subject = event.Metadata["account_id"]
		s.answer(w, r, s.receive(r.Context(), event.Acceptance))
	})
}

// ShopifyWebhook is the endpoint for Shopify's events.
func (s *Service) ShopifyWebhook(secret string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		event, err := shopify.Receive(r, secret)
		if err != nil {
			http.Error(w, "refused", http.StatusUnauthorized)
			return
		}
		event.Subject = cmp.Or(event.Attributes["account_id"], event.Customer)
		if event.EventType == "customers/create" {
			s.answer(w, r, s.receiveInline(r.Context(), event.Acceptance))
			return
		}
		s.answer(w, r, s.receive(r.Context(), event.Acceptance))
	})
}

// answer writes 200 after the work is durable. Otherwise it writes 500, so that the
// provider sends the event again.
func (s *Service) answer(w http.ResponseWriter, r *http.Request, err error) {
	if err != nil {
		s.logger.WarnContext(r.Context(), "shop: cannot process the webhook", "service", s.name, "error", err)
		http.Error(w, "try again", http.StatusInternalServerError)
		return
	}
	w.WriteHeader(http.StatusOK)
}
