package demo

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/sendpromptly/sendpromptly/cmd/spadmin/colour"
	"github.com/sendpromptly/sendpromptly/cmd/spadmin/demo/shop"
	"github.com/sendpromptly/sendpromptly/engine"
)

// noWorker: the job is queued, but no worker takes it. The repair runs within the
// callback. When the workers are back, they find the old job and skip it.
func (sc *scene) noWorker(ctx context.Context) error {
	if err := sc.open(ctx, sc.event.account, shop.Account{}, shop.Account{Access: true}); err != nil {
		return err
	}
	sc.tell.line(
		"%s buys lifetime access for %s. Today's deploy stopped the billing workers and started none.",
		sc.customer,
		dollars(sc.event.cents),
	)
	sc.service().StopWorkers()
	back := sync.OnceFunc(func() { sc.service().StartWorkers(workers) })
	defer back()
	if err := sc.deliver(ctx); err != nil {
		return err
	}
	if err := sc.awaitJob(ctx, 1, func(j shop.Job) bool { return !j.Taken }); err != nil {
		return err
	}
	sc.tell.voice(theShop, "the job and the receipt are committed, no worker takes the job, nothing is logged")
	sc.tell.voice(we, "the receipt says that %s is owed to %s. The deadline is running …", sc.key().Effect, sc.customer)
	if err := sc.awaitIncident(ctx); err != nil {
		return err
	}
	if err := sc.reprocess(ctx, "presses Reprocess"); err != nil {
		return err
	}
	if err := sc.awaitCallback(ctx, 1, http.StatusOK); err != nil {
		return err
	}
	sc.tell.voice(theShop, "RepairHandler did the work within the callback, without a worker")
	if err := sc.awaitResolved(ctx); err != nil {
		return err
	}
	sc.resolved(sc.customer + " has access")
	back()
	if err := sc.awaitJob(ctx, 1, func(j shop.Job) bool { return j.Done && j.Error == "" }); err != nil {
		return err
	}
	sc.tell.voice(theShop, "the workers are back and find the old job. The effect is applied, so they skip the job")
	return sc.appliedOnce(ctx)
}

// deadWorker: a worker takes the job and dies before it begins. The queue does not
// give a taken job to another worker.
func (sc *scene) deadWorker(ctx context.Context) error {
	if err := sc.open(ctx, sc.event.account, shop.Account{}, shop.Account{}); err != nil {
		return err
	}
	sc.tell.line(
		"%s buys a course for %s. A worker takes the job, then the kernel kills it: out of memory.",
		sc.customer,
		dollars(sc.event.cents),
	)
	died, spare := killNextWorker(sc.service())
	defer spare()
	if err := sc.deliver(ctx); err != nil {
		return err
	}
	if err := died(ctx); err != nil {
		return err
	}
	spare()
	sc.service().StartWorkers(1)
	sc.tell.voice(theShop, "a new worker starts at once. The job is marked as taken, so no worker runs it")
	if err := sc.awaitIncident(ctx); err != nil {
		return err
	}
	if err := sc.awaitJob(ctx, 1, func(j shop.Job) bool { return j.Taken && !j.Done }); err != nil {
		return err
	}
	if err := sc.reprocess(ctx, "presses Reprocess"); err != nil {
		return err
	}
	if err := sc.awaitCallback(ctx, 1, http.StatusAccepted); err != nil {
		return err
	}
	sc.tell.voice(theShop, "EnqueueHandler queued the job again, and a worker runs it")
	if err := sc.awaitResolved(ctx); err != nil {
		return err
	}
	sc.resolved("the order is paid. The 202 did not resolve it, the success did")
	return sc.orderIs(ctx, "paid")
}

// refusedWrite: a new constraint rejects the write.
func (sc *scene) refusedWrite(ctx context.Context) error {
	credits := sc.event.cents / 10
	if err := sc.open(ctx, sc.event.account, shop.Account{}, shop.Account{Credits: credits}); err != nil {
		return err
	}
	sc.tell.line(
		"%s pays %s for 9,900 credits. Last night's migration added CHECK (credits <= 5000).",
		sc.customer,
		dollars(sc.event.cents),
	)
	if _, err := sc.Pool.Exec(ctx, "ALTER TABLE shop.accounts ADD CONSTRAINT credits_cap CHECK (credits <= 5000)"); err != nil {
		return err
	}
	lift := sync.OnceValue(func() error {
		_, err := sc.Pool.Exec(context.WithoutCancel(ctx), "ALTER TABLE shop.accounts DROP CONSTRAINT credits_cap")
		return err
	})
	defer func() { _ = lift() }() // if it failed, the scene has already reported it
	if err := sc.deliver(ctx); err != nil {
		return err
	}
	if err := sc.awaitJob(ctx, 1, func(j shop.Job) bool { return j.Done && j.Error != "" }); err != nil {
		return err
	}
	sc.tell.voice(theShop, "the worker's transaction rolls back; Apply records the error in a separate one")
	if err := sc.awaitIncident(ctx); err != nil {
		return err
	}
	if err := lift(); err != nil {
		return err
	}
	sc.tell.voice(theShop, "ALTER TABLE shop.accounts DROP CONSTRAINT credits_cap")
	if err := sc.reprocess(ctx, "presses Reprocess"); err != nil {
		return err
	}
	if err := sc.awaitCallback(ctx, 1, http.StatusOK); err != nil {
		return err
	}
	if err := sc.awaitResolved(ctx); err != nil {
		return err
	}
	sc.resolved(fmt.Sprintf("%s has 9,900 credits", sc.customer))
	return nil
}

// swallowedRedelivery: the first run fails after the shop's own dedupe list has
// recorded the event as processed.
func (sc *scene) swallowedRedelivery(ctx context.Context) error {
	sc.expected[sc.event.account] = shop.Account{}
	sc.tell.line("%s signs up while somebody builds an index without CONCURRENTLY. The shop's oldest code handles it.", sc.customer)
	index, err := sc.Pool.Begin(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = index.Rollback(context.WithoutCancel(ctx)) }()
	if _, err := index.Exec(ctx, "CREATE INDEX ON shop.accounts (credits)"); err != nil {
		return err
	}
	d, err := sc.post(ctx, sc.event, http.StatusInternalServerError)
	if err != nil {
		return err
	}
	sc.tell.voice(
		sc.providersLog(),
		"%s  %s in %s: will be retried",
		sc.event.eventType,
		colour.Bad.Render("500"),
		millis(d.took),
	)
	if err := index.Commit(ctx); err != nil {
		return err
	}
	sc.tell.voice(theShop, "that was a lock timeout. The index is complete now")
	if err := sc.deliver(ctx); err != nil {
		return err
	}
	sc.tell.voice(theShop, "its dedupe list recorded the event before the work failed, so the shop skips it")
	if err := sc.awaitIncident(ctx); err != nil {
		return err
	}
	entries, err := sc.timeline(ctx)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(entries, func(e engine.Entry) bool { return e.Kind == engine.KindDuplicate }) {
		return errors.New("the timeline does not show the redelivery")
	}
	if err := sc.reprocess(ctx, "sees the duplicate on the timeline and presses Reprocess"); err != nil {
		return err
	}
	if err := sc.awaitCallback(ctx, 1, http.StatusAccepted); err != nil {
		return err
	}
	if err := sc.awaitResolved(ctx); err != nil {
		return err
	}
	sc.resolved(sc.customer + " has an account")
	return nil
}

// noAccount: the event arrives before the sign-up. The operator presses Reprocess
// too early: the first callback fails and is retried automatically.
func (sc *scene) noAccount(ctx context.Context) error {
	sc.tell.line("%s buys the team plan. Stripe's event arrives before his sign-up: there is no account yet.", sc.customer)
	if err := sc.deliver(ctx); err != nil {
		return err
	}
	if err := sc.awaitIncident(ctx); err != nil {
		return err
	}
	if err := sc.reprocess(ctx, "presses Reprocess a little early"); err != nil {
		return err
	}
	if err := sc.awaitCallback(ctx, 1, http.StatusServiceUnavailable); err != nil {
		return err
	}
	if err := sc.open(ctx, sc.event.account, shop.Account{}, shop.Account{Team: true}); err != nil {
		return err
	}
	sc.tell.voice(theShop, "%s's sign-up is complete: the account exists", sc.customer)
	sc.tell.voice(we, "will retry the callback in 5 s, then 30 s, 2 min …, with the same replay id")
	if err := sc.awaitCallback(ctx, 2, http.StatusOK); err != nil {
		return err
	}
	if err := sc.awaitResolved(ctx); err != nil {
		return err
	}
	sc.resolved(sc.customer + " has the team plan")
	return nil
}

// lateSuccess: the worker waits for a forgotten row lock and succeeds after the
// deadline.
func (sc *scene) lateSuccess(ctx context.Context) error {
	if err := sc.open(ctx, sc.event.account, shop.Account{}, shop.Account{Access: true}); err != nil {
		return err
	}
	sc.tell.line(
		"%s's order for %s ships. Somebody left for lunch with a transaction on her account open in psql.",
		sc.customer,
		dollars(sc.event.cents),
	)
	psql, err := sc.Pool.Begin(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = psql.Rollback(context.WithoutCancel(ctx)) }()
	if _, err := psql.Exec(ctx, "SELECT 1 FROM shop.accounts WHERE id = $1 FOR NO KEY UPDATE", sc.event.account); err != nil {
		return err
	}
	if err := sc.deliver(ctx); err != nil {
		return err
	}
	if err := sc.awaitJob(ctx, 1, func(j shop.Job) bool { return j.Taken }); err != nil {
		return err
	}
	sc.tell.voice(theShop, "the worker is alive and waits for that row without a timeout")
	if err := sc.awaitIncident(ctx); err != nil {
		return err
	}
	if err := psql.Commit(ctx); err != nil {
		return err
	}
	sc.tell.voice(theShop, "back from lunch: COMMIT. The worker continues")
	if err := sc.awaitResolved(ctx); err != nil {
		return err
	}
	if sc.incident.Attempt != 0 {
		return fmt.Errorf("it took %d attempts, want none: a late success resolves the incident", sc.incident.Attempt)
	}
	sc.resolved("without an operator: a late success counts")
	return sc.orderIs(ctx, "fulfilled")
}

// orderIs checks the state of the customer's only order.
func (sc *scene) orderIs(ctx context.Context, state string) error {
	states, err := sc.books.OrderStates(ctx, sc.event.account)
	if err == nil && (len(states) != 1 || states[0] != state) {
		err = fmt.Errorf("the orders of %s are %v, want one that is %s", sc.event.account, states, state)
	}
	return err
}

// killNextWorker ends the next worker that takes a job of the service, as if its
// process were killed. died waits for that; spare protects the other workers.
func killNextWorker(service *shop.Service) (died func(context.Context) error, spare func()) {
	gone := make(chan struct{})
	var kill sync.Once
	service.OnTake(func(shop.Task) {
		kill.Do(func() {
			close(gone)
			runtime.Goexit()
		})
	})
	died = func(ctx context.Context) error {
		select {
		case <-gone:
			return nil
		case <-time.After(patience):
			return fmt.Errorf("no worker died: %w", errPatience)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return died, func() { service.OnTake(nil) }
}
