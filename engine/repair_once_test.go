package engine_test

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
)

// atOnce posts n requests of the same attempt, each with its own nonce, and
// counts the statuses.
func (p *endpoint) atOnce(n int) map[int]int {
	p.t.Helper()
	requests := make([]sent, n)
	for i := range requests {
		requests[i] = p.sent()
	}
	ready, answers := make(chan struct{}), make(chan int, n)
	var all sync.WaitGroup
	for _, s := range requests {
		all.Go(func() {
			<-ready
			answers <- p.post(s).Code
		})
	}
	close(ready)
	all.Wait()
	close(answers)
	counts := map[int]int{}
	for status := range answers {
		counts[status]++
	}
	return counts
}

// However often the callback of one attempt arrives at once, the repair takes
// effect exactly once, and every request is told applied or busy.
func TestConcurrentCallbacksRepairOnce(t *testing.T) {
	t.Parallel()
	p := newEndpoint(t, false)
	run(t, p.db.Pool, `CREATE TABLE public.credits (event text)`)
	for _, k := range []engine.Key{key("evt_1"), key("evt_2"), key("evt_3")} {
		p.ask(k)
		p.result = func(tx pgx.Tx, r engine.Repair) error {
			_, err := tx.Exec(t.Context(), `INSERT INTO public.credits VALUES ($1)`, r.EventID)
			return err
		}
		counts := p.atOnce(10)
		if counts[200] == 0 || counts[200]+counts[503] != 10 {
			t.Errorf("answers %v, want 200 and 503 only", counts)
		}
		requireAnswer(t, "afterwards", p.post(p.sent()), 200, "applied")
		if n := read[int](
			t,
			p.db.Pool,
			`SELECT count(*) FROM public.credits WHERE event = $1`,
			k.EventID,
		); n != 1 ||
			p.runs.Load() != 1 {
			t.Errorf("%d credits after %d runs, want one", n, p.runs.Load())
		}
		requireStory(t, p.db, k, askedFor+" success→applied resolved")
	}
	p.db.RequireSound()
}

// One Reprocess queues one job however often its callback comes, answers 202 and
// records no outcome; the worker that applies it resolves the incident. A further
// Reprocess queues a further job. It catches a second job, a 202 taken for the
// outcome, and a job that is there although the answer was not kept.
func TestTheEnqueueHandlerQueuesOneJobAnAttempt(t *testing.T) {
	t.Parallel()
	p := newEndpoint(t, true)
	run(t, p.db.Pool, `CREATE TABLE public.jobs (replay text)`)
	jobs := func() int { return read[int](t, p.db.Pool, `SELECT count(*) FROM public.jobs`) }
	p.ask(key("evt_1"))
	enqueue := func(tx pgx.Tx, r engine.Repair) error {
		_, err := tx.Exec(t.Context(), `INSERT INTO public.jobs VALUES ($1)`, r.ReplayID)
		return err
	}
	p.result = func(tx pgx.Tx, r engine.Repair) error { return errors.Join(enqueue(tx, r), errNoAccount) }
	requireAnswer(t, "the queue breaks", p.post(p.sent()), 503, "try_again")
	if jobs() != 0 {
		t.Fatal("a job is there although queueing it broke")
	}
	p.result = enqueue
	counts := p.atOnce(10)
	if counts[202] == 0 || counts[202]+counts[503] != 10 {
		t.Errorf("answers %v, want 202 and 503 only", counts)
	}
	s := p.sent()
	requireAnswer(t, "another try", p.post(s), 202, "queued")
	requireAnswer(t, "the same try", p.post(s), 202, "queued")
	if jobs() != 1 {
		t.Errorf("%d jobs, want 1", jobs())
	}
	requireStory(t, p.db, p.incident.Key, askedFor+" note")
	p.db.RequireState(p.incident.Key, engine.StateReprocessing)

	p.stop()
	p.again()
	requireAnswer(t, "another attempt", p.post(p.sent()), 202, "queued")
	if jobs() != 2 {
		t.Errorf("%d jobs, want 2", jobs())
	}
	for range 2 { // a worker for each job
		if err := p.e.Apply(t.Context(), p.incident.Key, works, engine.WithReplay(p.attempt.ReplayID)); err != nil {
			t.Error(err)
		}
	}
	requireAnswer(t, "once applied", p.post(p.sent()), 202, "queued") // its stored answer
	requireStory(t, p.db, p.incident.Key, askedFor+" note stopped→failed reprocess→reprocessing success→applied resolved")
	p.db.RequireSound()
}

// The app's function gets the receipt as it was accepted, not what the request
// says, and is warned of what was applied for the same subject since.
func TestARepairGetsTheReceiptAndWhatCameAfterIt(t *testing.T) {
	t.Parallel()
	p := newEndpoint(t, false)
	unlock, revocation, other := key("evt_unlock"), key("evt_revocation"), key("evt_other")
	accept(
		t,
		p.db,
		p.e,
		engine.Acceptance{
			Key:       unlock,
			EventType: "invoice.paid",
			Subject:   "acct_1",
			Amount:    engine.Money{Minor: 1999, Currency: "EUR"},
		},
	)
	p.db.Travel(31 * time.Minute)
	p.incident = p.db.RequireIncident(unlock, engine.CauseMissing)
	for k, subject := range map[engine.Key]string{revocation: "acct_1", other: "acct_2"} {
		accept(t, p.db, p.e, engine.Acceptance{Key: k, Subject: subject})
		if err := succeed(t.Context(), p.db.Pool, p.e, k); err != nil {
			t.Fatal(err)
		}
	}
	accept(t, p.db, p.e, engine.Acceptance{Key: key("evt_owed"), Subject: "acct_1"})
	if _, err := enginetest.Index(t.Context(), p.e); err != nil {
		t.Fatal(err)
	}
	p.again()
	var got engine.Repair
	p.result = func(_ pgx.Tx, r engine.Repair) error { got = r; return nil }
	s := p.sent()
	s.body.InternalReference, s.body.EventType, s.body.Cause = "acct_666", "charge.refunded", "failed"
	requireAnswer(t, "repair", p.post(s), 200, "applied")
	if got.Key != unlock || got.Subject != "acct_1" || got.EventType != "invoice.paid" || got.Amount.Minor != 1999 ||
		got.Cause != engine.CauseMissing || got.Attempt != 1 || got.ReplayID != p.attempt.ReplayID || got.IncidentID != p.incident.ID {
		t.Errorf("repair = %+v", got)
	}
	if !slices.Equal(got.LaterApplied, []engine.Key{revocation}) {
		t.Errorf("later applied = %v, want %v", got.LaterApplied, revocation)
	}
}
