package engine_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
	"github.com/sendpromptly/sendpromptly/internal/callback"
)

// An endpoint that answers 500 for ever is tried six times: at once, then after
// 5 s, 30 s, 2 min, 10 min and 1 h, each a fifth more or less, each under the
// same replay id with a nonce and a time of its own; then the attempt failed. It
// catches a try too early, too late, too many, and a signature used twice.
func TestTheTriesFollowTheScheduleAndEnd(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, status(500))
	incident, attempt := r.ask("evt_1")
	r.deliver(1)
	for _, want := range []time.Duration{5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, time.Hour} {
		wait := r.nextIn()
		if wait > want*12/10 || wait < want*8/10-2*time.Second {
			t.Errorf("the next try comes in %s, want %s and a fifth more or less", wait, want)
		}
		if early := wait - 2*time.Second; early > 0 {
			r.db.Travel(early)
			r.deliver(0)
			wait -= early
		}
		r.db.Travel(wait)
		r.deliver(1)
	}
	requireStory(t, r.db, incident.Key, askedFor+strings.Repeat(" callback", 6)+" gave_up→failed")
	r.db.Travel(48 * time.Hour)
	r.deliver(0)

	nonces, times := map[string]bool{}, []string{}
	for n, header := range r.came {
		nonces[header.Get(callback.NonceHeader)] = true
		times = append(times, header.Get(callback.TimestampHeader))
		if header.Get("Webhook-Id") != attempt.ReplayID || r.bodies[n].ReplayID != attempt.ReplayID || r.bodies[n].Attempt != 1 {
			t.Errorf("try %d: replay id %s, body %+v", n+1, header.Get("Webhook-Id"), r.bodies[n])
		}
	}
	if len(nonces) != 6 || !slices.IsSorted(times) || len(slices.Compact(times)) != 6 {
		t.Errorf("6 tries had %d nonces and the times %v", len(nonces), times)
	}
	if got := read[string](
		t,
		r.db.Pool,
		`SELECT note FROM sendpromptly.entries WHERE kind = 'gave_up'`,
	); got != "all tries failed" {
		t.Errorf("it gave up because %q", got)
	}
	r.db.RequireSound()
}

// A receiver may ask for more time, up to an hour, and the attempt waits longer
// for it where that is needed.
func TestTheSenderHonoursRetryAfter(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, nil)
	for asked, want := range map[string]time.Duration{"600": 10 * time.Minute, "86400": time.Hour, "1": 4 * time.Second} {
		incident, _ := r.ask("evt_" + asked)
		r.answer = func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", asked)
			w.WriteHeader(503)
		}
		r.deliver(1)
		if wait := r.nextIn(); wait > want+2*time.Second || wait < want-2*time.Second {
			t.Errorf("asked for %s s, the next try comes in %s, want %s", asked, wait, want)
		}
		if _, err := r.e.Stop(t.Context(), incident.ID, "ada"); err != nil {
			t.Fatal(err)
		}
	}
	r.db.RequireSound()
}

// A callback whose engine died with it is sent again a minute later, as the next
// try; what the dead engine might still say with its old token is discarded.
func TestACallbackWhoseEngineDiedIsSentAgain(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, status(500))
	incident, attempt := r.ask("evt_1")
	token := read[string](t, r.db.Pool, `SELECT token::text FROM sendpromptly.claim_callbacks(32)`)
	r.deliver(0)
	r.db.Travel(58 * time.Second)
	r.deliver(0)
	r.db.Travel(3 * time.Second)
	r.deliver(1)
	for _, verdict := range []string{"accepted", "again", "halted"} {
		if read[bool](
			t,
			r.db.Pool,
			`SELECT sendpromptly.complete_callback(1, $1, $2, $3, 200, NULL, 1, '', NULL, NULL)`,
			attempt.ReplayID,
			token,
			verdict,
		) {
			t.Errorf("an answer with a stale token was taken: %s", verdict)
		}
	}
	requireStory(t, r.db, incident.Key, askedFor+" callback")
	if entry := r.lastCallback(incident); entry.Note != "try 2" {
		t.Errorf("it was %s", entry.Note)
	}
	r.db.RequireSound()
}

// Engines that die at each try use the tries up: there is no seventh.
func TestTriesThatDiedWithTheirEngineCount(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, status(200))
	incident, _ := r.ask("evt_1")
	for range callback.Tries {
		if n := read[int](t, r.db.Pool, `SELECT count(*) FROM sendpromptly.claim_callbacks(32)`); n != 1 {
			t.Fatalf("%d callbacks claimed", n)
		}
		r.db.Travel(61 * time.Second)
	}
	if _, err := enginetest.Deliver(t.Context(), r.e); err != nil {
		t.Fatal(err)
	}
	if r.count() != 0 {
		t.Error("a seventh try was sent")
	}
	requireStory(t, r.db, incident.Key, askedFor+" callback gave_up→failed")
	r.db.RequireSound()
}

// An engine that is stopped in the middle of a callback records nothing: what
// the endpoint did is not known. Another engine sends it again.
func TestADeliveryThatIsInterruptedIsRepeated(t *testing.T) {
	t.Parallel()
	arrived := make(chan struct{}, 1)
	r := newReceiver(t, nil)
	release, letGo := newGate(t)
	r.answer = func(http.ResponseWriter, *http.Request) { arrived <- struct{}{}; <-release }
	incident, _ := r.ask("evt_1")
	ctx, cancel := context.WithCancel(t.Context())
	delivering := start(func() error { _, err := enginetest.Deliver(ctx, r.e); return err })
	receive(t, "the callback arrives", arrived)
	cancel()
	if err := receive(t, "Deliver ends with its context", delivering); err != nil {
		t.Errorf("Deliver: %v", err)
	}
	letGo()
	requireStory(t, r.db, incident.Key, askedFor)
	r.mu.Lock()
	r.answer = r.e.RepairHandler(func(context.Context, pgx.Tx, engine.Repair) error { return nil }).ServeHTTP
	r.mu.Unlock()
	r.db.Travel(61 * time.Second)
	r.deliver(1)
	requireStory(t, r.db, incident.Key, askedFor+" success→applied resolved callback")
	r.db.RequireSound()
}

// Stop cancels the remaining tries at once, and an answer that was on its way is
// entered without moving anything.
func TestStopEndsTheTriesOfAnAttempt(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, status(500))
	incident, _ := r.ask("evt_waiting")
	r.deliver(1)
	if state, err := r.e.Stop(t.Context(), incident.ID, "ada"); err != nil || state != engine.StateFailed {
		t.Fatalf("%s, %v", state, err)
	}
	r.db.Travel(2 * time.Hour)
	r.deliver(0)
	requireStory(t, r.db, incident.Key, askedFor+" callback stopped→failed")

	arrived := make(chan struct{}, 1)
	release, letGo := newGate(t)
	r.answer = func(w http.ResponseWriter, _ *http.Request) { arrived <- struct{}{}; <-release; w.WriteHeader(404) }
	flying, _ := r.ask("evt_flying")
	delivering := start(func() error { _, err := enginetest.Deliver(t.Context(), r.e); return err })
	receive(t, "the callback arrives", arrived)
	if _, err := r.e.Stop(t.Context(), flying.ID, "ada"); err != nil {
		t.Fatal(err)
	}
	letGo()
	if err := receive(t, "Deliver ends", delivering); err != nil {
		t.Error(err)
	}
	requireStory(t, r.db, flying.Key, askedFor+" stopped→failed callback")
	r.db.RequireSound()
}
