package shop

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
	"github.com/sendpromptly/sendpromptly/engine/stripe"
	"github.com/sendpromptly/sendpromptly/internal/samples"
)

const secret = "whsec_test"

func newService(t *testing.T) (*enginetest.Database, *Service, Books) {
	t.Helper()
	db := enginetest.New(t)
	if err := Install(t.Context(), db.Pool); err != nil {
		t.Fatal(err)
	}
	return db, New("test", db.Pool, db.Engine(engine.Config{}), slog.New(slog.DiscardHandler)), Books{db.Pool}
}

func open(t *testing.T, db *enginetest.Database, id string, a Account) {
	t.Helper()
	if err := CreateAccount(t.Context(), db.Pool, id, a); err != nil {
		t.Fatal(err)
	}
}

// post delivers a sample and returns the answer's status.
func post(t *testing.T, s *Service, provider, eventType, secret string, v samples.Values) int {
	t.Helper()
	body, header, err := samples.Signed(provider, eventType, secret, v, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	handler := s.ShopifyWebhook("whsec_test")
	if provider == stripe.Provider {
		handler = s.StripeWebhook("whsec_test")
	}
	r := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body))
	r.Header = header
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	return w.Code
}

func TestEveryEventTypeIsAppliedOnceHoweverOftenItIsDelivered(t *testing.T) {
	t.Parallel()
	for provider, types := range samples.Types {
		for _, eventType := range types {
			t.Run(eventType, func(t *testing.T) {
				t.Parallel()
				db, s, books := newService(t)
				open(t, db, "acct_1", Account{Credits: 1000})
				for range 2 {
					if got := post(
						t,
						s,
						provider,
						eventType,
						secret,
						samples.Values{EventID: "e1", Reference: "acct_1", Amount: 2000},
					); got != http.StatusOK {
						t.Fatalf("answered %d", got)
					}
				}
				for s.workOnce() {
				}
				if n, err := books.TimesApplied(t.Context(), "e1"); n != 1 || err != nil {
					t.Errorf("applied %d times, %v", n, err)
				}
				db.RequireSound()
			})
		}
	}
}

func TestWhatEachEventIsWorth(t *testing.T) {
	t.Parallel()
	db, s, books := newService(t)
	open(t, db, "acct_1", Account{Credits: 100})
	for _, step := range []struct {
		provider, eventType string
		want                Account
	}{
		{"stripe", "invoice.paid", Account{Credits: 300}},
		{"stripe", "charge.refunded", Account{Credits: 100}},
		{"stripe", "checkout.session.completed", Account{Credits: 100, Access: true}},
		{"stripe", "customer.subscription.updated", Account{Credits: 100, Access: true, Team: true}},
		{"stripe", "charge.dispute.created", Account{Credits: 100, Team: true}},
		{"shopify", "orders/fulfilled", Account{Credits: 100, Access: true, Team: true}},
		{"stripe", "customer.subscription.deleted", Account{Credits: 100, Team: true}},
	} {
		post(t, s, step.provider, step.eventType, secret, samples.Values{EventID: step.eventType, Reference: "acct_1", Amount: 2000})
		s.workOnce()
		if got, err := books.Account(t.Context(), "acct_1"); got != step.want || err != nil {
			t.Errorf("after %s: %+v, %v, want %+v", step.eventType, got, err, step.want)
		}
	}
}

func TestAForgedWebhookOwesNothing(t *testing.T) {
	t.Parallel()
	_, s, books := newService(t)
	if got := post(t, s, "stripe", "invoice.paid", "guessed", samples.Values{EventID: "e1"}); got != http.StatusBadRequest {
		t.Errorf("stripe: answered %d", got)
	}
	if got := post(t, s, "shopify", "orders/paid", "guessed", samples.Values{EventID: "e1"}); got != http.StatusUnauthorized {
		t.Errorf("shopify: answered %d", got)
	}
	if jobs, err := books.Jobs(t.Context(), "e1"); len(jobs) != 0 || err != nil {
		t.Errorf("jobs %v, %v", jobs, err)
	}
}

func TestAFailureStaysWithTheJobAndGoesToTheEngine(t *testing.T) {
	t.Parallel()
	db, s, books := newService(t)
	post(t, s, "stripe", "invoice.paid", secret, samples.Values{EventID: "e1", Reference: "acct_nobody"})
	s.workOnce()
	jobs, err := books.Jobs(t.Context(), "e1")
	if want := []Job{
		{Taken: true, Done: true, Error: "account acct_nobody does not exist"},
	}; !slices.Equal(jobs, want) ||
		err != nil {
		t.Errorf("jobs %+v, %v", jobs, err)
	}
	db.RequireIncident(engine.Key{Provider: "stripe", EventID: "e1", Effect: "credit_grant"}, engine.CauseFailed)
}

// The bug of the oldest endpoint, which the demo relies on.
func TestTheInlineEndpointSwallowsTheRedelivery(t *testing.T) {
	t.Parallel()
	db, s, books := newService(t)
	values := samples.Values{EventID: "e1", Customer: "7"}
	lock, err := db.Pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Rollback(context.WithoutCancel(t.Context()))
	if _, err := lock.Exec(t.Context(), "LOCK TABLE shop.accounts IN SHARE MODE"); err != nil {
		t.Fatal(err)
	}
	if got := post(t, s, "shopify", "customers/create", secret, values); got != http.StatusInternalServerError {
		t.Errorf("first answer %d", got)
	}
	if err := lock.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := post(t, s, "shopify", "customers/create", secret, values); got != http.StatusOK {
		t.Errorf("second answer %d", got)
	}
	if _, err := books.Account(t.Context(), "7"); !errors.Is(err, pgx.ErrNoRows) {
		t.Errorf("account: %v, want none", err)
	}
	db.Travel(31 * time.Minute)
	db.RequireIncident(engine.Key{Provider: "shopify", EventID: "e1", Effect: "access_unlock"}, engine.CauseMissing)
}

func TestWorkersNeverShareAJob(t *testing.T) {
	t.Parallel()
	db, s, _ := newService(t)
	const jobs = 60
	for range jobs {
		if err := pgx.BeginFunc(t.Context(), db.Pool, func(tx pgx.Tx) error { return s.enqueue(t.Context(), tx, Task{}) }); err != nil {
			t.Fatal(err)
		}
	}
	var mu sync.Mutex
	seen := map[int64]int{}
	var takers sync.WaitGroup
	for range 4 {
		takers.Go(func() {
			for {
				j, found, err := s.take(context.WithoutCancel(t.Context()))
				if err != nil {
					t.Error(err)
				}
				if !found {
					return
				}
				mu.Lock()
				seen[j.id]++
				mu.Unlock()
			}
		})
	}
	takers.Wait()
	if len(seen) != jobs {
		t.Errorf("%d jobs taken, want %d", len(seen), jobs)
	}
	for id, n := range seen {
		if n != 1 {
			t.Errorf("job %d taken %d times", id, n)
		}
	}
}

func TestStoppedWorkersFinishTheirJob(t *testing.T) {
	t.Parallel()
	db, s, books := newService(t)
	open(t, db, "acct_1", Account{})
	taken := make(chan struct{})
	s.OnTake(func(Task) { close(taken) })
	s.StartWorkers(1)
	post(t, s, "stripe", "checkout.session.completed", secret, samples.Values{EventID: "e1", Reference: "acct_1"})
	<-taken
	s.StopWorkers()
	if n, err := books.TimesApplied(t.Context(), "e1"); n != 1 || err != nil {
		t.Errorf("applied %d times, %v", n, err)
	}
	s.OnTake(nil)
	s.StartWorkers(2) // and may be started again
	s.StopWorkers()
}
